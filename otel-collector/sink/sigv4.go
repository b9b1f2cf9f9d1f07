package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	sigAlgorithm  = "AWS4-HMAC-SHA256"
	sigTimeFormat = "20060102T150405Z"
	// maxSigAge is how far the clocks may be apart.
	maxSigAge = 5 * time.Minute
)

// awsError is an error of an AWS JSON API, with the status that goes with it.
type awsError struct {
	status  int
	name    string
	message string
}

func (e *awsError) Error() string { return e.name + ": " + e.message }

// authorization is the parts of an AWS authorization header.
type authorization struct {
	accessKeyID, date, region, service string
	signedHeaders                      []string
	signature                          string
}

func parseAuthorization(text string) (authorization, error) {
	var own authorization
	algorithm, rest, _ := strings.Cut(text, " ")
	if algorithm != sigAlgorithm {
		return own, errors.New("the algorithm must be " + sigAlgorithm)
	}
	for part := range strings.SplitSeq(rest, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		switch name {
		case "Credential":
			scope := strings.Split(value, "/")
			if len(scope) != 5 || scope[4] != "aws4_request" {
				return own, errors.New("the credential needs five parts")
			}
			own.accessKeyID, own.date = scope[0], scope[1]
			own.region, own.service = scope[2], scope[3]
		case "SignedHeaders":
			own.signedHeaders = strings.Split(value, ";")
		case "Signature":
			own.signature = value
		}
	}
	if own.accessKeyID == "" || own.signature == "" || !slices.Contains(own.signedHeaders, "host") {
		return own, errors.New("credential, signature and a signed host are needed")
	}
	return own, nil
}

// checkSignature computes the signature of a request anew and compares it, as AWS does.
func checkSignature(in incoming, accessKeyID, secret, service string, now time.Time) error {
	text := in.header.Get("Authorization")
	if text == "" {
		return &awsError{http.StatusForbidden, "MissingAuthenticationTokenException", "no signature"}
	}
	given, err := parseAuthorization(text)
	if err != nil {
		return &awsError{http.StatusForbidden, "IncompleteSignatureException", err.Error()}
	}
	if given.accessKeyID != accessKeyID {
		return &awsError{http.StatusForbidden, "UnrecognizedClientException", "unknown access key"}
	}
	date := in.header.Get("X-Amz-Date")
	at, err := time.Parse(sigTimeFormat, date)
	isScoped := strings.HasPrefix(date, given.date) && given.service == service
	if err != nil || !isScoped || now.Sub(at).Abs() > maxSigAge {
		return invalidSignature("the date or the scope is not right")
	}
	canonical := canonicalRequest(in, given.signedHeaders)
	scope := strings.Join([]string{given.date, given.region, given.service, "aws4_request"}, "/")
	toSign := strings.Join([]string{sigAlgorithm, date, scope, sha256Hex([]byte(canonical))}, "\n")
	key := []byte("AWS4" + secret)
	for _, part := range []string{given.date, given.region, given.service, "aws4_request", toSign} {
		key = hmacSHA256(key, part)
	}
	if !hmac.Equal([]byte(hex.EncodeToString(key)), []byte(given.signature)) {
		return invalidSignature("the signature does not match")
	}
	return nil
}

func invalidSignature(message string) error {
	return &awsError{http.StatusForbidden, "InvalidSignatureException", message}
}

// canonicalRequest is the one form of a request that both sides sign.
func canonicalRequest(in incoming, signed []string) string {
	var headers strings.Builder
	for _, name := range signed {
		headers.WriteString(name + ":" + canonicalHeader(in, name) + "\n")
	}
	return strings.Join([]string{
		in.method, canonicalPath(in.target), canonicalQuery(in.query), headers.String(),
		strings.Join(signed, ";"), sha256Hex(in.wire),
	}, "\n")
}

// canonicalHeader trims values and their inner spaces. Go keeps two of them apart from the rest.
func canonicalHeader(in incoming, name string) string {
	switch name {
	case "host":
		return in.host
	case "content-length":
		return strconv.FormatInt(in.contentLength, 10)
	}
	values := slices.Clone(in.header.Values(name))
	for index, value := range values {
		words := strings.FieldsFunc(value, func(r rune) bool { return r == ' ' })
		values[index] = strings.Join(words, " ")
	}
	return strings.Join(values, ",")
}

// canonicalPath is escaped once more than the path that was sent.
func canonicalPath(target *url.URL) string {
	parts := strings.Split(target.EscapedPath(), "/")
	for index, part := range parts {
		parts[index] = sigEscape(part)
	}
	if path := strings.Join(parts, "/"); path != "" {
		return path
	}
	return "/"
}

func canonicalQuery(query url.Values) string {
	var pairs []string
	for name, values := range query {
		for _, value := range values {
			pairs = append(pairs, sigEscape(name)+"="+sigEscape(value))
		}
	}
	slices.Sort(pairs)
	return strings.Join(pairs, "&")
}

// sigEscape leaves only the characters that RFC 3986 calls unreserved.
func sigEscape(text string) string {
	return strings.ReplaceAll(url.QueryEscape(text), "+", "%20")
}

func sha256Hex(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

func hmacSHA256(key []byte, text string) []byte {
	sum := hmac.New(sha256.New, key)
	sum.Write([]byte(text))
	return sum.Sum(nil)
}
