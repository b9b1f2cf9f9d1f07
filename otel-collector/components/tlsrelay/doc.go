// Package tlsrelay is an extension that gives TLS settings to exporters that lack their own.
//
// Two stock exporters read no authority and no client certificate from their configuration: the
// `datadog` one, for traces, their statistics and metrics, ignores what it says about them, and
// `awscloudwatchlogs` knows no such setting. A relay listens on this machine alone for what such an
// exporter sends, and passes it on over TLS with the settings that it was told: TLS 1.2 or newer,
// its own authorities, a client certificate.
//
// An exporter reaches it in one of two ways, and both lead to the one target of the relay:
//
//   - as its server: the relay tells the target the target's own name;
//   - as its HTTP proxy, for an endpoint of plain http with the target's name: the name that the
//     exporter tells is kept, because AWS's signatures cover it.
//
// What cannot be passed on is answered 502, which both exporters try again.
package tlsrelay
