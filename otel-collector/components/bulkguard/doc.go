// Package bulkguard is an extension that makes the stock elasticsearch exporter honest.
//
// That exporter acknowledges a batch although the bulk answer refuses documents in it: those with
// another status than 429 at once, those with 429 after its retries. The guard takes the exporter's
// authenticator slot, where it sees every bulk answer before the exporter does:
//
//   - A document that exists already (409 to `create`) is a delivered one.
//   - When documents are refused for now (429, 403, 503 and whatever else), the answer as a whole
//     becomes a 429, which the exporter retries and at last returns as an error. Documents need
//     ids, so that those taken before are not stored twice.
//   - When nothing else is wrong but documents that can never be taken (400), reading the answer
//     fails with refused.Documents, which names them: the exporter hands that error on unchanged.
//
// Because the slot is taken, the guard can also send an API key that is read from a file, and let
// OpenSearch pass: the exporter's client takes a server that does not call itself Elasticsearch for
// a stranger, and every answer of it for a failure, although the documents are stored by then.
package bulkguard
