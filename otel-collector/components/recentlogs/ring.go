package recentlogs

import (
	"slices"
	"sync"
)

const maxRecords = 200

// ring keeps the newest records, oldest first.
type ring struct {
	mutex   sync.Mutex
	records []record
	newest  uint64
	dropped uint64
}

// add keeps a line. One that says the same as the last of its component is counted there, so that
// a destination which fails again and again takes one place, whatever else is told meanwhile.
func (r *ring) add(line record) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.newest++
	line.Seq = r.newest
	for at := len(r.records) - 1; at >= 0; at-- {
		before := &r.records[at]
		if before.Component != line.Component {
			continue
		}
		if before.says(&line) {
			line.Since, line.Count = before.Since, before.Count+1
			r.records = slices.Delete(r.records, at, at+1)
		}
		break
	}
	if len(r.records) == maxRecords {
		r.dropped++
		r.records = slices.Delete(r.records, 0, 1)
	}
	r.records = append(r.records, line)
}

// since gives the records after a number, the newest first.
func (r *ring) since(after uint64, limit int) (records []record, newest, dropped uint64) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	records = make([]record, 0, min(limit, len(r.records)))
	for at := len(r.records) - 1; at >= 0 && len(records) < limit; at-- {
		if r.records[at].Seq <= after {
			break
		}
		records = append(records, r.records[at])
	}
	return records, r.newest, r.dropped
}
