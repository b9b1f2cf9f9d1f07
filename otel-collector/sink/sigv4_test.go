package main

import (
	"bytes"
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// signedForTest is a request as the SDK's own signer makes it.
func signedForTest(t *testing.T, at time.Time) incoming {
	t.Helper()
	body := []byte(`{"a":1}`)
	target := "http://logs.example/a%20b/c?z=1&a=x+y&a=~"
	request, err := http.NewRequest("POST", target, bytes.NewReader(body))
	must(t, err)
	request.Header.Set("X-Amz-Target", "  two   spaces ")
	request.Header.Set("Content-Type", typeAWSJSON)
	credentials := aws.Credentials{AccessKeyID: testKeyID, SecretAccessKey: testKey}
	err = v4.NewSigner().SignHTTP(
		context.Background(), credentials, request, sha256Hex(body), "logs", "eu-west-1", at)
	must(t, err)
	return incoming{
		method: "POST", path: request.URL.Path, host: request.URL.Host, query: request.URL.Query(),
		header: request.Header, wire: body, contentLength: int64(len(body)), target: request.URL,
	}
}

func TestSignatureIsComputedAsTheSDKDoes(t *testing.T) {
	now := time.Now()
	in := signedForTest(t, now)
	must(t, checkSignature(in, testKeyID, testKey, "logs", now))
	for what, change := range map[string]func(*incoming){
		"body":   func(in *incoming) { in.wire = []byte(`{"a":2}`) },
		"method": func(in *incoming) { in.method = "PUT" },
		"host":   func(in *incoming) { in.host = "other.example" },
		"query":  func(in *incoming) { in.query.Set("z", "2") },
		"header": func(in *incoming) { in.header.Set("X-Amz-Target", "other") },
		"length": func(in *incoming) { in.contentLength++ },
	} {
		in := signedForTest(t, now)
		change(&in)
		err := checkSignature(in, testKeyID, testKey, "logs", now)
		if refusal, ok := err.(*awsError); !ok || refusal.name != "InvalidSignatureException" {
			t.Fatalf("%s: %v", what, err)
		}
	}
	for what, err := range map[string]error{
		"secret":  checkSignature(in, testKeyID, "wrong", "logs", now),
		"service": checkSignature(in, testKeyID, testKey, "s3", now),
		"age":     checkSignature(in, testKeyID, testKey, "logs", now.Add(6*time.Minute)),
	} {
		if err == nil {
			t.Fatal(what)
		}
	}
}
