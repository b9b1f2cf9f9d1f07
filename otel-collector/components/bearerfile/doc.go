// Package bearerfile is an extension that lets a receiver in who shows a token of a file.
//
// The stock bearertokenauth reads its file at the line breaks and keeps the empty text behind the
// last one as a token: whoever sends `Bearer ` and nothing more is let in. It looks only at events
// that name the file itself, which a Kubernetes secret never gives, and repeats a wrong token in
// its answer. Here:
//
//   - A token is a line of visible ASCII; empty lines and those that begin with `#` are none. Several
//     tokens are good at the same time, so that one can be replaced without a gap.
//   - The file is looked at every few seconds, by its name, whatever lies behind that name.
//   - A file that cannot be used leaves the tokens that were read before, and is told of once. At
//     start, it is a failure: without tokens nobody would be let in.
package bearerfile
