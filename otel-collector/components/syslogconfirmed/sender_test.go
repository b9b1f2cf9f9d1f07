package syslogconfirmed

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/exportertest"
	"go.opentelemetry.io/collector/pdata/plog"
)

// serve starts a server that treats each connection as a test wants, and returns its port.
func serve(t *testing.T, treat func(*net.TCPConn)) int {
	return serveWith(t, net.ListenConfig{}, treat)
}

// serveNarrow is for servers whose host takes a few KiB and no more while nobody reads.
func serveNarrow(t *testing.T, treat func(*net.TCPConn)) int {
	return serveWith(t, net.ListenConfig{
		Control: func(_, _ string, raw syscall.RawConn) error {
			return raw.Control(func(fd uintptr) {
				_ = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 4096)
			})
		},
	}, treat)
}

func serveWith(t *testing.T, config net.ListenConfig, treat func(*net.TCPConn)) int {
	listener, err := config.Listen(context.Background(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, listener.Close()) })
	go func() {
		for {
			accepted, err := listener.Accept()
			if err != nil {
				return
			}
			go treat(accepted.(*net.TCPConn))
		}
	}()
	return listener.Addr().(*net.TCPAddr).Port
}

func exporterTo(t *testing.T, port int, more map[string]any) exporter.Logs {
	settings := map[string]any{
		"host": "127.0.0.1", "port": port, "timeout": "3s",
		"tls":              map[string]any{"insecure": true},
		"sending_queue":    map[string]any{"enabled": false},
		"retry_on_failure": map[string]any{"enabled": false},
	}
	for key, value := range more {
		settings[key] = value
	}
	config := createDefaultConfig().(*Config)
	require.NoError(t, confmap.NewFromStringMap(settings).Unmarshal(config))
	require.NoError(t, config.Validate())
	made, err := NewFactory().CreateLogs(context.Background(),
		exportertest.NewNopSettings(componentType), config)
	require.NoError(t, err)
	require.NoError(t, made.Start(context.Background(), componenttest.NewNopHost()))
	t.Cleanup(func() { require.NoError(t, made.Shutdown(context.Background())) })
	return made
}

func batchOf(count, messageBytes int) plog.Logs {
	batch := plog.NewLogs()
	scope := batch.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty()
	for i := range count {
		scope.LogRecords().AppendEmpty().Attributes().PutStr("message",
			fmt.Sprint(i, " ", strings.Repeat("x", messageBytes)))
	}
	return batch
}

func send(exporter exporter.Logs, batch plog.Logs) error {
	return exporter.ConsumeLogs(context.Background(), batch)
}

func TestAServerThatReadsEverythingAndEndsConfirms(t *testing.T) {
	got := make(chan string, 2)
	port := serve(t, func(conn *net.TCPConn) {
		content, _ := io.ReadAll(conn)
		_ = conn.Close()
		got <- string(content)
	})
	exporter := exporterTo(t, port, nil)
	require.NoError(t, send(exporter, batchOf(100, 3000)))
	records := framed(t, <-got)
	require.Len(t, records, 100)
	assert.Contains(t, records[99], "- 99 xxx")
	require.NoError(t, send(exporter, batchOf(1, 1)), "each batch has a connection of its own")
	assert.Len(t, framed(t, <-got), 1)
}

func TestAServerThatDiesWithBytesUnreadDoesNotConfirm(t *testing.T) {
	port := serve(t, func(conn *net.TCPConn) {
		_, _ = io.ReadFull(conn, make([]byte, 10))
		time.Sleep(50 * time.Millisecond)
		_ = conn.Close()
	})
	for _, size := range []int{10, 100_000} {
		err := send(exporterTo(t, port, nil), batchOf(20, size))
		require.Error(t, err)
		assert.False(t, consumererror.IsPermanent(err))
	}
}

func TestAnEndThatCrossesOurBytesDoesNotConfirm(t *testing.T) {
	port := serve(t, func(conn *net.TCPConn) { _ = conn.Close() })
	exporter := exporterTo(t, port, nil)
	for range 100 {
		require.Error(t, send(exporter, batchOf(3, 100)))
	}
}

func TestAnEndBeforeOurBytesAreThereDoesNotConfirm(t *testing.T) {
	port := serveNarrow(t, func(conn *net.TCPConn) {
		time.Sleep(100 * time.Millisecond)
		_ = conn.CloseWrite()
		time.Sleep(time.Second)
		_ = conn.Close()
	})
	exporter := exporterTo(t, port, map[string]any{"timeout": "400ms"})
	err := send(exporter, batchOf(4, 7000))
	require.ErrorContains(t, err, "does not confirm")
	require.ErrorIs(t, err, context.DeadlineExceeded)
}

func TestAnEndBeforeOursDoesNotConfirm(t *testing.T) {
	port := serve(t, func(conn *net.TCPConn) {
		_ = conn.CloseWrite()
		_, _ = io.ReadAll(conn)
		_ = conn.Close()
	})
	config := createDefaultConfig().(*Config)
	config.Host, config.Port = "127.0.0.1", port
	made := &sender{config: config}
	conn, err := made.connect(context.Background())
	require.NoError(t, err)
	defer conn.tcp.Close()
	require.Eventually(t, func() bool { return hasEnded(conn.tcp) }, time.Second, time.Millisecond)
	require.ErrorContains(t, made.deliver(context.Background(), conn, batchOf(1, 1)), "before us")
}

func TestAServerThatHangsDoesNotConfirm(t *testing.T) {
	release := make(chan struct{})
	defer close(release)
	for name, treat := range map[string]func(*net.TCPConn){
		"reads nothing": func(conn *net.TCPConn) { <-release; _ = conn.Close() },
		"does not end":  func(conn *net.TCPConn) { _, _ = io.ReadAll(conn); <-release; _ = conn.Close() },
		"says something": func(conn *net.TCPConn) {
			_, _ = conn.Write([]byte("hi"))
			<-release
			_ = conn.Close()
		},
	} {
		t.Run(name, func(t *testing.T) {
			exporter := exporterTo(t, serve(t, treat), map[string]any{"timeout": "200ms"})
			for _, size := range []int{10, 7000} {
				started := time.Now()
				require.ErrorIs(t, send(exporter, batchOf(2000, size)), context.DeadlineExceeded)
				assert.Less(t, time.Since(started), 2*time.Second)
			}
		})
	}
}

func TestAServerThatTalksIsReadAndOneWithoutEndIsNot(t *testing.T) {
	polite := serve(t, func(conn *net.TCPConn) {
		_, _ = conn.Write([]byte("welcome\n"))
		_, _ = io.ReadAll(conn)
		_ = conn.Close()
	})
	require.NoError(t, send(exporterTo(t, polite, nil), batchOf(3, 10)))
	endless := serve(t, func(conn *net.TCPConn) {
		for {
			if _, err := conn.Write(make([]byte, 100_000)); err != nil {
				return
			}
		}
	})
	require.ErrorContains(t, send(exporterTo(t, endless, nil), batchOf(3, 10)), "talks without end")
}

func TestAResetAfterReadingCountsOnlyWhereItIsAllowed(t *testing.T) {
	port := serve(t, func(conn *net.TCPConn) {
		_, _ = io.ReadAll(conn)
		_ = conn.SetLinger(0)
		_ = conn.Close()
	})
	require.Error(t, send(exporterTo(t, port, nil), batchOf(3, 10)))
	lax := map[string]any{"confirmation": "reset"}
	require.NoError(t, send(exporterTo(t, port, lax), batchOf(3, 10)))

	dying := serveNarrow(t, func(conn *net.TCPConn) {
		time.Sleep(100 * time.Millisecond)
		_ = conn.Close()
	})
	require.ErrorContains(t, send(exporterTo(t, dying, lax), batchOf(4, 7000)),
		"bytes outstanding")
}

func TestNoServerIsAnErrorWorthAnotherTry(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	port := listener.Addr().(*net.TCPAddr).Port
	require.NoError(t, listener.Close())
	err = send(exporterTo(t, port, nil), batchOf(1, 1))
	require.ErrorContains(t, err, "no connection")
	assert.False(t, consumererror.IsPermanent(err))
}

// certificate writes a certificate for 127.0.0.1 that signs itself, for both sides.
func certificate(t *testing.T) (tls.Certificate, string) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "ca.pem")
	encoded := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	require.NoError(t, os.WriteFile(path, encoded, 0o600))
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, path
}

func TestOverTLSTheServersCloseNotifyConfirms(t *testing.T) {
	own, ca := certificate(t)
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		config := &tls.Config{Certificates: []tls.Certificate{own}, MaxVersion: version}
		got := make(chan string, 3)
		inOrder := serve(t, func(conn *net.TCPConn) {
			secured := tls.Server(conn, config)
			content, _ := io.ReadAll(secured)
			_ = secured.Close()
			got <- string(content)
		})
		abrupt := serve(t, func(conn *net.TCPConn) {
			secured := tls.Server(conn, config)
			content, _ := io.ReadAll(secured)
			_, _ = io.Copy(io.Discard, conn)
			_ = conn.Close()
			got <- string(content)
		})
		trusted := map[string]any{"ca_file": ca}
		require.NoError(t, send(exporterTo(t, inOrder, map[string]any{"tls": trusted}),
			batchOf(50, 2000)))
		assert.Len(t, framed(t, <-got), 50)
		require.NoError(t, send(exporterTo(t, abrupt, map[string]any{"tls": trusted}),
			batchOf(2, 10)))
		assert.Len(t, framed(t, <-got), 2)
		strict := map[string]any{"tls": trusted, "confirmation": "close_notify"}
		require.NoError(t, send(exporterTo(t, inOrder, strict), batchOf(2, 10)))
		<-got
		require.ErrorContains(t, send(exporterTo(t, abrupt, strict), batchOf(2, 10)),
			"without close_notify")
		<-got
		require.ErrorContains(t, send(exporterTo(t, inOrder, map[string]any{
			"tls": map[string]any{}}), batchOf(1, 1)), "certificate")
		<-got
	}
}

func TestItWorksWithItsOwnQueueAndRetries(t *testing.T) {
	var connections atomic.Int32
	got := make(chan string, 1)
	port := serve(t, func(conn *net.TCPConn) {
		if connections.Add(1) <= 2 {
			_ = conn.Close()
			return
		}
		content, _ := io.ReadAll(conn)
		_ = conn.Close()
		got <- string(content)
	})
	exporter := exporterTo(t, port, map[string]any{
		"retry_on_failure": map[string]any{"enabled": true, "initial_interval": "1ms"},
		"sending_queue":    map[string]any{"enabled": true},
	})
	require.NoError(t, send(exporter, batchOf(5, 10)))
	assert.Len(t, framed(t, <-got), 5)
}
