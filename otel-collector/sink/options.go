package main

import (
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/url"
)

// options are the command line.
type options struct {
	listen, control           string
	tlsCert, tlsKey, clientCA string
	// tlsMax is the newest version of TLS that the data port speaks, a key of tlsVersions.
	tlsMax string
	// key is the API key or token that every vendor's client must show; empty accepts any.
	key string
	// accessKeyID and secretAccessKey are what AWS signatures must be made with.
	accessKeyID, secretAccessKey string
	forward                      *url.URL
	forwardTCP                   string
	// countOnly leaves out what was received and keeps how often.
	countOnly bool
}

// tlsVersions are the choices of --tls-max, each with the oldest version that goes with it: a
// server that has been left behind speaks what is older, too.
var tlsVersions = map[string]struct{ oldest, newest uint16 }{
	"1.1": {tls.VersionTLS10, tls.VersionTLS11},
	"1.2": {tls.VersionTLS12, tls.VersionTLS12},
	"1.3": {tls.VersionTLS12, tls.VersionTLS13},
}

func parseOptions(arguments []string) (options, error) {
	var own options
	var forward string
	set := flag.NewFlagSet("sink", flag.ContinueOnError)
	// The flag package would print the arguments, among which are keys.
	set.SetOutput(io.Discard)
	set.StringVar(&own.listen, "listen", "", "address of the data port")
	set.StringVar(&own.control, "control", "", "address of the control port")
	set.StringVar(&own.tlsCert, "tls-cert", "", "certificate of the data port, PEM")
	set.StringVar(&own.tlsKey, "tls-key", "", "its key, PEM")
	set.StringVar(&own.clientCA, "client-ca", "", "authority of the clients' certificates, PEM")
	set.StringVar(&own.tlsMax, "tls-max", "1.3", "newest version of TLS: 1.1, 1.2 or 1.3")
	set.StringVar(&own.key, "key", "", "API key or token that clients must show")
	set.StringVar(&own.accessKeyID, "aws-access-key-id", "", "id of the AWS key")
	set.StringVar(&own.secretAccessKey, "aws-secret-access-key", "", "the AWS key")
	set.StringVar(&forward, "forward", "", "URL of a real server behind it")
	set.StringVar(&own.forwardTCP, "forward-tcp", "", "address of a real TCP server behind it")
	set.BoolVar(&own.countOnly, "count-only", false, "count records and keep none")
	if err := set.Parse(arguments); err != nil {
		return own, errors.New("the arguments are not understood; README.md lists them")
	}
	if own.listen == "" || own.control == "" || set.NArg() > 0 {
		return own, errors.New("--listen and --control are needed, and nothing but options")
	}
	if (own.tlsCert == "") != (own.tlsKey == "") || (own.clientCA != "" && own.tlsCert == "") {
		return own, errors.New("--tls-cert and --tls-key go together, and --client-ca needs them")
	}
	if _, isKnown := tlsVersions[own.tlsMax]; !isKnown {
		return own, errors.New("--tls-max must be 1.1, 1.2 or 1.3")
	}
	if (own.accessKeyID == "") != (own.secretAccessKey == "") {
		return own, errors.New("--aws-access-key-id and --aws-secret-access-key go together")
	}
	if own.forwardTCP != "" && (forward != "" || own.tlsCert != "") {
		return own, errors.New("--forward-tcp passes bytes on as they are: no --forward, no TLS")
	}
	if forward != "" {
		target, err := url.Parse(forward)
		if err != nil || target.Host == "" || target.Scheme != "http" {
			return own, fmt.Errorf("--forward needs a URL such as http://127.0.0.1:9200")
		}
		own.forward = target
	}
	return own, nil
}
