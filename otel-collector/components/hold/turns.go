package hold

import (
	"context"
	"errors"
	"time"
)

// How long a batch waits for others that are under way. The hop gives up 5 s after the longest
// attempt of an exporter; a batch that has waited longer than this is sent back into its queue, so
// that no attempt is cut off, which would leave open whether it has arrived.
const turnTimeout = 3 * time.Second

var errNoTurn = errors.New("others are under way")

// turns bounds how many batches are under way to a destination: after a fault nobody knows of them
// whether they have arrived, and they are sent again. What waits to be tried again is not under way,
// so that a batch that is always refused holds up no other.
type turns chan struct{}

// newTurns lets so many batches under way at a time; 0 sets no limit.
func newTurns(limit int) turns {
	if limit == 0 {
		return nil
	}
	return make(turns, limit)
}

// take waits for a turn. Whoever gets it gives it back.
func (t turns) take(ctx context.Context) error {
	if t == nil {
		return nil
	}
	timer := time.NewTimer(turnTimeout)
	defer timer.Stop()
	select {
	case t <- struct{}{}:
		return nil
	case <-timer.C:
		return errNoTurn
	case <-ctx.Done():
		return errNoTurn
	}
}

func (t turns) giveBack() {
	if t != nil {
		<-t
	}
}
