package tlsrelay

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/config/configtls"
	"go.opentelemetry.io/collector/extension/extensiontest"
)

// pemFiles makes a certificate that is its own authority, and its key.
func pemFiles(t *testing.T) (certificate, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		BasicConstraintsValid: true, IsCA: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	require.NoError(t, err)
	keyDER, err := x509.MarshalPKCS8PrivateKey(private)
	require.NoError(t, err)
	write := func(name, kind string, der []byte) string {
		path := filepath.Join(t.TempDir(), name)
		text := pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
		require.NoError(t, os.WriteFile(path, text, 0o600))
		return path
	}
	return write("cert.pem", "CERTIFICATE", der), write("key.pem", "PRIVATE KEY", keyDER)
}

// server answers with what it was asked: method, URI, host, client's certificate and body.
func server(t *testing.T, certificate, key string, change func(*tls.Config)) *httptest.Server {
	t.Helper()
	pair, err := tls.LoadX509KeyPair(certificate, key)
	require.NoError(t, err)
	made := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.WriteHeader(http.StatusTeapot)
		shown := "nobody"
		if len(r.TLS.PeerCertificates) > 0 {
			shown = "somebody"
		}
		words := []string{r.Method, r.URL.RequestURI(), r.Host, shown, r.Header.Get("X-Signed"),
			r.Header.Get("Proxy-Authorization"), string(body)}
		_, _ = io.WriteString(w, strings.Join(words, "|"))
	}))
	made.Config.ErrorLog = nil
	made.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	if change != nil {
		change(made.TLS)
	}
	made.StartTLS()
	t.Cleanup(made.Close)
	return made
}

// open starts a relay, and gives its URL.
func open(t *testing.T, relay Relay) string {
	t.Helper()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	relay.Listen = free.Addr().String()
	require.NoError(t, free.Close())
	config := &Config{Relays: map[string]Relay{"one": relay}}
	require.NoError(t, config.Validate())
	made, err := NewFactory().Create(t.Context(), extensiontest.NewNopSettings(componentType), config)
	require.NoError(t, err)
	require.NoError(t, made.Start(t.Context(), componenttest.NewNopHost()))
	t.Cleanup(func() { assert.NoError(t, made.Shutdown(context.Background())) })
	return "http://" + relay.Listen
}

func ask(t *testing.T, client *http.Client, url string) (int, string) {
	t.Helper()
	request, err := http.NewRequest(http.MethodPost, url, strings.NewReader("content"))
	require.NoError(t, err)
	request.Header.Set("X-Signed", "kept")
	response, err := client.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return response.StatusCode, string(body)
}

func trusting(certificate string) configtls.ClientConfig {
	own := configtls.NewDefaultClientConfig()
	own.CAFile = certificate
	return own
}

func TestRequestsArePassedOnUnderTheTargetsName(t *testing.T) {
	certificate, key := pemFiles(t)
	target := server(t, certificate, key, nil)
	relay := open(t, Relay{Target: target.URL + "/base", TLS: trusting(certificate)})
	status, body := ask(t, http.DefaultClient, relay+"/api/v0.2/traces?x=1")
	assert.Equal(t, http.StatusTeapot, status)
	host := strings.TrimPrefix(target.URL, "https://")
	assert.Equal(t, "POST|/base/api/v0.2/traces?x=1|"+host+"|nobody|kept||content", body)
}

func TestAProxysClientKeepsTheNameThatItTold(t *testing.T) {
	certificate, key := pemFiles(t)
	target := server(t, certificate, key, nil)
	relay := open(t, Relay{Target: target.URL, TLS: trusting(certificate)})
	proxy, err := url.Parse(strings.Replace(relay, "//", "//user:word@", 1))
	require.NoError(t, err)
	client := &http.Client{Transport: &http.Transport{Proxy: http.ProxyURL(proxy)}}
	host := strings.TrimPrefix(target.URL, "https://")
	status, body := ask(t, client, "http://"+host+"/")
	assert.Equal(t, http.StatusTeapot, status)
	assert.Equal(t, "POST|/|"+host+"|nobody|kept||content", body)
	// It is no way to anywhere else.
	status, _ = ask(t, client, "http://logs.example.com/")
	assert.Equal(t, http.StatusMisdirectedRequest, status)
	_, err = client.Get(target.URL)
	assert.ErrorContains(t, err, "Misdirected")
}

func TestAClientCertificateIsShown(t *testing.T) {
	certificate, key := pemFiles(t)
	ownCertificate, ownKey := pemFiles(t)
	pool := x509.NewCertPool()
	text, err := os.ReadFile(ownCertificate)
	require.NoError(t, err)
	require.True(t, pool.AppendCertsFromPEM(text))
	target := server(t, certificate, key, func(config *tls.Config) {
		config.ClientAuth, config.ClientCAs = tls.RequireAndVerifyClientCert, pool
	})
	shown := trusting(certificate)
	shown.CertFile, shown.KeyFile = ownCertificate, ownKey
	status, body := ask(t, http.DefaultClient, open(t, Relay{Target: target.URL, TLS: shown}))
	assert.Equal(t, http.StatusTeapot, status)
	assert.Contains(t, body, "|somebody|")
	relay := open(t, Relay{Target: target.URL, TLS: trusting(certificate)})
	status, body = ask(t, http.DefaultClient, relay)
	assert.Equal(t, http.StatusBadGateway, status)
	// In TLS 1.3 the refusal may come when the request is on its way, and only a broken pipe is seen.
	assert.Contains(t, body, "cannot reach")
	assert.NotContains(t, body, "|")
}

func TestAServerThatIsNotTheRightOneIsToldNothing(t *testing.T) {
	certificate, key := pemFiles(t)
	foreign, _ := pemFiles(t)
	old := func(config *tls.Config) {
		config.MinVersion, config.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
	}
	byName := strings.Replace(server(t, certificate, key, nil).URL, "127.0.0.1", "localhost", 1)
	for what, relay := range map[string]Relay{
		"a foreign authority": {Target: server(t, certificate, key, nil).URL, TLS: trusting(foreign)},
		"another name":        {Target: byName, TLS: trusting(certificate)},
		"TLS 1.1":             {Target: server(t, certificate, key, old).URL, TLS: trusting(certificate)},
		"nobody":              {Target: "https://127.0.0.1:1", TLS: trusting(certificate)},
	} {
		status, body := ask(t, http.DefaultClient, open(t, relay))
		assert.Equal(t, http.StatusBadGateway, status, what)
		assert.Contains(t, body, "cannot reach", what)
	}
}

func TestAnAnswerThatDoesNotComeIsGivenUp(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = silent.Close() })
	target := "https://" + silent.Addr().String()
	relay := open(t, Relay{Target: target, Timeout: 200 * time.Millisecond})
	began := time.Now()
	status, _ := ask(t, http.DefaultClient, relay)
	assert.Equal(t, http.StatusBadGateway, status)
	assert.Less(t, time.Since(began), 5*time.Second)
}

func TestWhatWouldLetOthersReadIsRefused(t *testing.T) {
	right := Relay{Listen: "127.0.0.1:1", Target: "https://example.com"}
	for what, change := range map[string]func(*Relay){
		"an open listener":   func(it *Relay) { it.Listen = "0.0.0.0:1" },
		"no port":            func(it *Relay) { it.Listen = "127.0.0.1" },
		"a name":             func(it *Relay) { it.Listen = "localhost:1" },
		"plain http":         func(it *Relay) { it.Target = "http://example.com" },
		"no host":            func(it *Relay) { it.Target = "https:///x" },
		"credentials":        func(it *Relay) { it.Target = "https://a:b@example.com" },
		"a query":            func(it *Relay) { it.Target = "https://example.com?a=b" },
		"no TLS":             func(it *Relay) { it.TLS.Insecure = true },
		"no verification":    func(it *Relay) { it.TLS.InsecureSkipVerify = true },
		"a negative timeout": func(it *Relay) { it.Timeout = -1 },
	} {
		relay := right
		change(&relay)
		config := &Config{Relays: map[string]Relay{"one": relay}}
		assert.Error(t, config.Validate(), what)
	}
	assert.NoError(t, (&Config{Relays: map[string]Relay{"one": right}}).Validate())
	assert.NoError(t, (&Config{}).Validate())
}

func TestAStartThatFailsLeavesNothingOpen(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = taken.Close() })
	config := &Config{Relays: map[string]Relay{
		"one": {Listen: taken.Addr().String(), Target: "https://example.com"},
	}}
	made, err := NewFactory().Create(t.Context(), extensiontest.NewNopSettings(componentType), config)
	require.NoError(t, err)
	assert.Error(t, made.Start(t.Context(), componenttest.NewNopHost()))
	missing := Relay{Listen: "127.0.0.1:0", Target: "https://example.com", TLS: trusting("/none.pem")}
	config.Relays["one"] = missing
	assert.ErrorContains(t, made.Start(t.Context(), componenttest.NewNopHost()), "none.pem")
}
