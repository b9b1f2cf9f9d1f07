// Package smallfile reads files that hold a secret or a few, within a limit.
package smallfile

import (
	"fmt"
	"io"
	"os"
)

// Read returns what a file holds. One that is longer than maxBytes is an error, and no error
// repeats anything of the content.
func Read(path string, maxBytes int64) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	content, err := io.ReadAll(io.LimitReader(file, maxBytes+1))
	if err != nil {
		return nil, err
	}
	if int64(len(content)) > maxBytes {
		return nil, fmt.Errorf("%s is longer than %d bytes", path, maxBytes)
	}
	return content, nil
}
