package bulkguard

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"
)

const (
	maxKeyBytes = 4096
	// The file is small: reading it is the surest way to see a change, whoever made it how.
	readEvery = time.Second
	logEvery  = time.Minute
)

// keyFile is an API key in a file that may be exchanged while the collector runs.
type keyFile struct {
	path     string
	logger   *zap.Logger
	mutex    sync.Mutex
	key      string
	readAt   time.Time
	warnedAt time.Time
}

// load is for the start, where a file that cannot be read is an error.
func (k *keyFile) load() error {
	key, err := readKey(k.path)
	if err != nil {
		return fmt.Errorf("api_key_file: %w", err)
	}
	k.mutex.Lock()
	defer k.mutex.Unlock()
	k.key, k.readAt = key, time.Now()
	return nil
}

// current returns the newest key. A file that is gone or empty for a moment, as while it is
// exchanged, leaves the last one valid.
func (k *keyFile) current() string {
	k.mutex.Lock()
	defer k.mutex.Unlock()
	now := time.Now()
	if now.Sub(k.readAt) < readEvery {
		return k.key
	}
	k.readAt = now
	key, err := readKey(k.path)
	if err == nil {
		k.key = key
	} else if now.Sub(k.warnedAt) >= logEvery {
		k.warnedAt = now
		k.logger.Warn("the API key cannot be read again, the last one is used", zap.Error(err))
	}
	return k.key
}

// readKey never puts the content into an error.
func readKey(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	content, err := io.ReadAll(io.LimitReader(file, maxKeyBytes+1))
	if err != nil {
		return "", err
	}
	key := strings.TrimSpace(string(content))
	if key == "" || len(content) > maxKeyBytes {
		return "", errors.New(path + " must hold one key of at most 4096 bytes")
	}
	for _, c := range []byte(key) {
		if c <= ' ' || c > '~' {
			return "", errors.New(path + " must hold printable ASCII without spaces")
		}
	}
	return key, nil
}
