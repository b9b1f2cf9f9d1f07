package bearerfile

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/extension"
	"go.opentelemetry.io/collector/extension/extensionauth"
	"go.uber.org/zap"
)

const (
	header = "authorization"
	scheme = "bearer "
	// How often it is told that somebody was not let in.
	tellInterval = time.Minute
)

// What a client is told; never what it sent.
var errRefused = errors.New("no valid bearer token")

type door struct {
	path     string
	interval time.Duration
	logger   *zap.Logger

	good    atomic.Pointer[tokens]
	refused atomic.Uint64
	told    atomic.Int64

	stop    context.CancelFunc
	stopped sync.WaitGroup
}

var (
	_ extension.Extension  = (*door)(nil)
	_ extensionauth.Server = (*door)(nil)
)

// Start reads the tokens and goes on looking at their file.
func (d *door) Start(context.Context, component.Host) error {
	read, err := readTokens(d.path)
	if err != nil {
		return err
	}
	d.good.Store(&read)
	ctx, stop := context.WithCancel(context.Background())
	d.stop = stop
	d.stopped.Add(1)
	go func() {
		defer d.stopped.Done()
		d.watch(ctx)
	}()
	return nil
}

// Shutdown ends the looking.
func (d *door) Shutdown(context.Context) error {
	if d.stop != nil {
		d.stop()
		d.stopped.Wait()
	}
	return nil
}

func (d *door) watch(ctx context.Context) {
	ticker := time.NewTicker(d.interval)
	defer ticker.Stop()
	lastError := ""
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		read, err := readTokens(d.path)
		switch {
		case err != nil && err.Error() != lastError:
			lastError = err.Error()
			d.logger.Error("the tokens read before stay in force", zap.Error(err))
		case err == nil:
			lastError = ""
			if !slices.Equal(read, *d.good.Load()) {
				d.good.Store(&read)
				d.logger.Info("other tokens are in force", zap.Int("tokens", len(read)))
			}
		}
	}
}

// Authenticate lets in who shows one of the tokens.
func (d *door) Authenticate(
	ctx context.Context, headers map[string][]string,
) (context.Context, error) {
	if d.isGood(credentials(headers)) {
		return ctx, nil
	}
	d.tell()
	return ctx, errRefused
}

// credentials finds the header whatever its case is: HTTP/1 and gRPC spell it differently.
func credentials(headers map[string][]string) string {
	for name, values := range headers {
		if strings.EqualFold(name, header) && len(values) == 1 {
			return values[0]
		}
	}
	return ""
}

func (d *door) isGood(value string) bool {
	good := d.good.Load()
	if good == nil || len(value) <= len(scheme) || !strings.EqualFold(value[:len(scheme)], scheme) {
		return false
	}
	shown := sha256.Sum256([]byte(value[len(scheme):]))
	found := 0
	for _, token := range *good {
		found |= subtle.ConstantTimeCompare(token[:], shown[:])
	}
	return found == 1
}

// tell writes at most a line a minute, with how many were refused since the last.
func (d *door) tell() {
	d.refused.Add(1)
	now, last := time.Now().UnixNano(), d.told.Load()
	if last != 0 && now-last < int64(tellInterval) || !d.told.CompareAndSwap(last, now) {
		return
	}
	d.logger.Warn("requests without a valid token are refused",
		zap.Uint64("refused", d.refused.Swap(0)))
}
