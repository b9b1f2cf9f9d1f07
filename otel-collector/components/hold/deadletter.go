package hold

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

const (
	folderMode = 0o700
	fileMode   = 0o600
	// How long the folder's size is believed: others (people, a replay) only take files away.
	rescanAfter = time.Minute
	// When it looks full, it is looked at again sooner, so that room made is used.
	rescanFullAfter = time.Second
	// A temporary file that old was left behind by a collector that was killed.
	leftoverAfter = 10 * time.Minute
)

// errFull says that the dead letter would grow the folder beyond its limit.
var errFull = errors.New("the dead-letter folder is full")

// letter is the head of a dead letter, the first member of its line.
type letter struct {
	Destination    string    `json:"destination"`
	Signal         string    `json:"signal"`
	Records        int       `json:"records"`
	Reason         string    `json:"reason"`
	FirstRefusedAt time.Time `json:"first_refused_at"`
	GivenUpAt      time.Time `json:"given_up_at"`
}

// folder is the dead-letter folder; all processors of a collector that name the same path share
// one, so that its limit holds for them together.
type folder struct {
	root      string
	mutex     sync.Mutex
	sizeBytes int64
	scannedAt time.Time
}

var (
	foldersMutex sync.Mutex
	// Bounded by the number of hold processors in a configuration.
	folders = make(map[string]*folder)
)

func sharedFolder(root string) (*folder, error) {
	root, err := filepath.Abs(root)
	if err != nil {
		return nil, err
	}
	foldersMutex.Lock()
	defer foldersMutex.Unlock()
	if _, known := folders[root]; !known {
		folders[root] = &folder{root: root}
	}
	return folders[root], nil
}

// prepare makes the destination's folder, so that a wrong path or right is told at start, and
// clears what a killed collector left.
func (f *folder) prepare(destination string, now time.Time) error {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	path := filepath.Join(f.root, destination)
	if err := os.MkdirAll(path, folderMode); err != nil {
		return err
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		info, err := entry.Info()
		if err != nil || !strings.HasSuffix(entry.Name(), ".tmp") {
			continue
		}
		if now.Sub(info.ModTime()) > leftoverAfter {
			_ = os.Remove(filepath.Join(path, entry.Name()))
		}
	}
	return syncFolder(f.root)
}

// write keeps one batch. When it returns nil, the file and its name are on the disk.
func (f *folder) write(head letter, otlp []byte, maxBytes int64) error {
	line, err := lineOf(head, otlp)
	if err != nil {
		return err
	}
	f.mutex.Lock()
	defer f.mutex.Unlock()
	if err := f.makeSure(int64(len(line)), maxBytes); err != nil {
		return err
	}
	path := filepath.Join(f.root, head.Destination)
	if err := os.MkdirAll(path, folderMode); err != nil {
		return err
	}
	digest := sha256.Sum256(otlp)
	name := fmt.Sprintf("%d-%s.jsonl", head.GivenUpAt.UnixMilli(), hex.EncodeToString(digest[:4]))
	if err := writeSynced(path, name, line); err != nil {
		return err
	}
	f.sizeBytes += int64(len(line))
	return nil
}

// lineOf puts the head before the members of the OTLP JSON, whose readers pass over it.
func lineOf(head letter, otlp []byte) ([]byte, error) {
	if len(otlp) < 3 || otlp[0] != '{' {
		return nil, errors.New("a batch without content cannot be a dead letter")
	}
	member, err := json.Marshal(head)
	if err != nil {
		return nil, err
	}
	line := make([]byte, 0, len(member)+len(otlp)+16)
	line = append(line, `{"bangui":`...)
	line = append(line, member...)
	line = append(line, ',')
	line = append(line, otlp[1:]...)
	return append(line, '\n'), nil
}

func (f *folder) makeSure(moreBytes, maxBytes int64) error {
	age := time.Since(f.scannedAt)
	full := f.sizeBytes+moreBytes > maxBytes
	if age > rescanAfter || (full && age > rescanFullAfter) {
		size, err := sizeOf(f.root)
		if err != nil {
			return err
		}
		f.sizeBytes, f.scannedAt = size, time.Now()
	}
	if f.sizeBytes+moreBytes > maxBytes {
		return errFull
	}
	return nil
}

// sizeOf adds up the files of the folder and of those in it; what vanishes meanwhile is nothing.
func sizeOf(root string) (int64, error) {
	var sum int64
	err := filepath.WalkDir(root, func(_ string, entry fs.DirEntry, err error) error {
		if err != nil {
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			return err
		}
		if info, err := entry.Info(); err == nil && info.Mode().IsRegular() {
			sum += info.Size()
		}
		return nil
	})
	return sum, err
}

func writeSynced(path, name string, content []byte) error {
	temporary := filepath.Join(path, "."+name+".tmp")
	if err := writeFile(temporary, content); err != nil {
		_ = os.Remove(temporary)
		return err
	}
	if err := os.Rename(temporary, filepath.Join(path, name)); err != nil {
		_ = os.Remove(temporary)
		return err
	}
	return syncFolder(path)
}

func writeFile(path string, content []byte) error {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, fileMode)
	if err != nil {
		return err
	}
	_, err = file.Write(content)
	if err == nil {
		err = file.Sync()
	}
	return errors.Join(err, file.Close())
}

// syncFolder makes names in a folder last, as Sync of a file does for its content.
func syncFolder(path string) error {
	opened, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(opened.Sync(), opened.Close())
}
