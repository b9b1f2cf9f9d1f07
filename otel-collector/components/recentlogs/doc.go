// Package recentlogs is an exporter that keeps the newest warnings and errors of the collector's
// own log in memory, and shows them as JSON to who asks (BanGUI's page).
//
// It stands at the end of a pipeline that nothing else feeds: the collector sends its own log lines
// to a receiver of its own. Nothing here can fail for a record, refuse one or wait, so that a line
// about the collector's log never makes another one. What it holds is bounded (200 records of less
// than 4 KiB), one line each, without the keys that an error may quote. A restart forgets it all:
// the whole log stays on stderr.
package recentlogs
