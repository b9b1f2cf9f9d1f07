package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// certificateForTest makes a certificate for 127.0.0.1 that is its own authority, and gives the
// arguments for it and a client that trusts it.
func certificateForTest(t *testing.T) ([]string, *http.Client) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	usages := []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "sink of the test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: usages,
		IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	must(t, err)
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	must(t, err)
	certificate := writePEM(t, "CERTIFICATE", der)
	own, err := x509.ParseCertificate(der)
	must(t, err)
	roots := x509.NewCertPool()
	roots.AddCert(own)
	transport := &http.Transport{
		TLSClientConfig:   &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		DisableKeepAlives: true,
	}
	client := &http.Client{Transport: transport, Timeout: 10 * time.Second}
	return []string{"--tls-cert", certificate, "--tls-key", writePEM(t, "PRIVATE KEY", keyDER)}, client
}

func writePEM(t *testing.T, name string, der []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: name, Bytes: der})
	must(t, os.WriteFile(path, text, 0o600))
	return path
}

func TestTheNewestVersionOfTLSCanBeChosen(t *testing.T) {
	arguments, client := certificateForTest(t)
	config := client.Transport.(*http.Transport).TLSClientConfig
	for _, one := range []struct {
		max    string
		oldest uint16
		newest uint16
		spoken string
	}{
		{"1.1", tls.VersionTLS10, tls.VersionTLS13, "TLS 1.1"},
		{"1.1", tls.VersionTLS12, tls.VersionTLS13, ""},
		{"1.2", tls.VersionTLS12, tls.VersionTLS13, "TLS 1.2"},
		{"1.2", tls.VersionTLS10, tls.VersionTLS11, ""},
		{"1.3", tls.VersionTLS12, tls.VersionTLS13, "TLS 1.3"},
	} {
		sink := start(t, append([]string{"--tls-max", one.max}, arguments...)...)
		config.MinVersion, config.MaxVersion = one.oldest, one.newest
		sink.client = client
		_, err := sink.send(http.MethodGet, "/services/collector/health", nil)
		equal(t, "is refused with "+one.max, err != nil, one.spoken == "")
		sink.client = http.DefaultClient
		var spoken string
		for _, request := range sink.received().Requests {
			spoken = request.TLS
		}
		equal(t, "spoken with "+one.max, spoken, one.spoken)
	}
	listen := []string{"--listen", "127.0.0.1:0", "--control", "127.0.0.1:0"}
	if _, err := parseOptions(append(listen, "--tls-max", "1.4")); err == nil {
		t.Fatal("--tls-max 1.4 is taken")
	}
}
