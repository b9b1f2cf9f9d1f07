// Package ownlog is a receiver of the collector's own log lines, which the collector sends as OTLP
// (http/protobuf) to an address on this host.
//
// The stock `otlp` receiver is no use for it: on the way down it closes before the collector sends
// its last lines. That failure makes the exit code of every stop 1, and a reload (SIGHUP) the end
// of the collector. The address of this one stays open until the process ends: lines that come
// before the start of the pipeline or after its end are taken, and dropped.
package ownlog
