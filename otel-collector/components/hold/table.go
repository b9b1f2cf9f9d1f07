package hold

import (
	"sync"
	"time"
)

const (
	// A hop has as many batches under way as it has consumers, which are few.
	maxHeldBatches = 1024
	// A hop tries again within seconds. A batch not seen for so long is not held any more: the
	// collector's queue was emptied or regrouped.
	forgetAfter = 10 * time.Minute
)

// fingerprint is the SHA-256 of a batch in its binary form.
type fingerprint [32]byte

// held is what is remembered of one batch.
type held struct {
	first time.Time
	last  time.Time
	// firstPermanent is zero until the batch is refused for good.
	firstPermanent time.Time
	// parked are the records of the batch that are dead letters already.
	parked map[string]struct{}
}

// table remembers the batches that are refused now. It lives in memory only: after a restart the
// hours of a batch are counted anew, and records parked before may be parked once more. Both
// limits above bound it; when it is full, the batch not seen for longest is forgotten and, seen
// again, starts anew.
type table struct {
	mutex   sync.Mutex
	batches map[fingerprint]*held
}

func newTable() *table {
	return &table{batches: make(map[fingerprint]*held)}
}

func (t *table) empty() bool {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	return len(t.batches) == 0
}

// refused notes one refusal and returns since when the batch is refused for good, if it is.
func (t *table) refused(key fingerprint, now time.Time, permanent bool) time.Time {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	entry := t.entry(key, now)
	if permanent && entry.firstPermanent.IsZero() {
		entry.firstPermanent = now
	}
	return entry.firstPermanent
}

// park notes records of a batch that are dead letters now.
func (t *table) park(key fingerprint, now time.Time, uids map[string]struct{}) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	entry := t.entry(key, now)
	if entry.parked == nil {
		entry.parked = make(map[string]struct{}, len(uids))
	}
	for uid := range uids {
		entry.parked[uid] = struct{}{}
	}
}

// parked returns a copy, so that it can be read without the lock.
func (t *table) parked(key fingerprint) map[string]struct{} {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	entry, known := t.batches[key]
	if !known || len(entry.parked) == 0 {
		return nil
	}
	copied := make(map[string]struct{}, len(entry.parked))
	for uid := range entry.parked {
		copied[uid] = struct{}{}
	}
	return copied
}

func (t *table) forget(key fingerprint) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	delete(t.batches, key)
}

// state counts the batches held now and tells since when the oldest is.
func (t *table) state(now time.Time) (batches int, oldest time.Time) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	t.prune(now)
	for _, entry := range t.batches {
		if oldest.IsZero() || entry.first.Before(oldest) {
			oldest = entry.first
		}
	}
	return len(t.batches), oldest
}

func (t *table) entry(key fingerprint, now time.Time) *held {
	entry, known := t.batches[key]
	if known && now.Sub(entry.last) <= forgetAfter {
		entry.last = now
		return entry
	}
	if !known && len(t.batches) >= maxHeldBatches {
		t.prune(now)
		t.makeRoom()
	}
	entry = &held{first: now, last: now}
	t.batches[key] = entry
	return entry
}

func (t *table) prune(now time.Time) {
	for key, entry := range t.batches {
		if now.Sub(entry.last) > forgetAfter {
			delete(t.batches, key)
		}
	}
}

func (t *table) makeRoom() {
	if len(t.batches) < maxHeldBatches {
		return
	}
	var stalest fingerprint
	var last time.Time
	for key, entry := range t.batches {
		if last.IsZero() || entry.last.Before(last) {
			stalest, last = key, entry.last
		}
	}
	delete(t.batches, stalest)
}
