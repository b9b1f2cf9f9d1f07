// Package refused carries the news that a destination took a batch except for single documents
// which it can never take, from the part that learns it to the part that keeps such documents.
package refused

import "fmt"

// Documents are records of a batch that the destination refuses for good, while it has taken
// every other record of the same request. UIDs are the `log.record.uid` of these records.
type Documents struct {
	UIDs   []string
	Reason string
}

// Error names no record: uids are many, and logs are read by people.
func (d *Documents) Error() string {
	return fmt.Sprintf("%d documents are refused for good: %s", len(d.UIDs), d.Reason)
}

// maxDepth ends the walk through a chain of errors that somebody built as a ring.
const maxDepth = 64

// Split looks through a whole tree of errors. It returns the refused documents in it, and whether
// every leaf of the tree is such a refusal: only then is the rest of the batch delivered.
func Split(err error) (documents []*Documents, nothingElse bool) {
	if err == nil {
		return nil, false
	}
	nothingElse = split(err, &documents, maxDepth)
	return documents, nothingElse && len(documents) > 0
}

func split(err error, documents *[]*Documents, depth int) bool {
	if depth == 0 || err == nil {
		return false
	}
	if found, ok := err.(*Documents); ok {
		*documents = append(*documents, found)
		return true
	}
	switch wrapping := err.(type) {
	case interface{ Unwrap() error }:
		return split(wrapping.Unwrap(), documents, depth-1)
	case interface{ Unwrap() []error }:
		only := true
		for _, one := range wrapping.Unwrap() {
			only = split(one, documents, depth-1) && only
		}
		return only
	}
	return false
}
