// Package syslogconfirmed is an exporter that sends logs as RFC 5424 syslog over TCP or TLS, with
// octet counting (RFC 6587, RFC 5425), and knows whether the server has read them.
//
// Syslog has no answer. The stock exporter calls a record delivered when it lies in its own
// kernel's send buffer; a server that hangs and then dies loses what lay between. This one takes a
// connection for each batch, ends its side after the last frame, and waits for the server's end.
//
// What counts as delivered: the server ends its side in order (FIN, or TLS close_notify), and its
// host has confirmed every byte, and it did not end before we did. A program that ends, or is
// killed, with bytes unread makes its host send a reset instead of a FIN, and bytes that arrive
// after its end are answered by a reset too; so an orderly end says that the program has read
// everything. A reset, a timeout and any other error is no delivery: the batch is sent again, and
// the server may then have it twice. What a server has read and not yet stored when it is killed
// stays its own loss over plain TCP; over TLS, `confirmation: close_notify` tells that apart, for
// servers that do send one. A server or balancer that resets every connection although it has read
// everything needs `confirmation: reset`; one that never ends a connection, or ends its side
// before ours, cannot be used.
package syslogconfirmed
