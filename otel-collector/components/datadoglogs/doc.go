// Package datadoglogs is an exporter that sends logs to Datadog's log intake and answers only when
// the intake has answered.
//
// The stock datadog exporter puts logs into a channel of an agent inside the collector and calls
// that delivered; what lies in the channel dies with the process. This one takes the same mapping
// library of Datadog, so that records look the same there, and posts synchronously. Datadog's
// intake knows no ids: a batch whose answer gets lost is sent, and shown, twice.
package datadoglogs
