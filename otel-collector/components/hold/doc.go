// Package hold is a processor that lets nothing be lost behind a disk queue.
//
// It stands first in a pipeline that is fed by a loopback OTLP hop whose exporter has a queue on
// disk. Whatever error comes back from what follows, the hop is told a retryable one, so that it
// keeps the batch. What a destination refuses for good is tried for some hours, because people
// repair wrong keys and mappings, and is then kept as a dead letter, one file a batch, that the
// otlpjsonfile receiver can read again. A dead letter is on disk before the batch is acknowledged.
package hold
