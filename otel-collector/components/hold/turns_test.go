package hold

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog"
)

func TestOneBatchIsUnderWayAtATime(t *testing.T) {
	s := newSetup(t, nil)
	arrived, answer := make(chan struct{}), make(chan struct{})
	s.answer = func(plog.Logs) error {
		arrived <- struct{}{}
		<-answer
		return nil
	}
	results := make(chan error, 2)
	go func() { results <- s.consume(batchOf("a")) }()
	<-arrived
	impatient, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, s.processor.ConsumeLogs(impatient, batchOf("b")), errNoTurn)
	go func() { results <- s.consume(batchOf("b")) }()
	select {
	case <-arrived:
		t.Fatal("b is sent while a is under way")
	case <-time.After(50 * time.Millisecond):
	}
	answer <- struct{}{}
	<-arrived
	answer <- struct{}{}
	require.NoError(t, <-results)
	require.NoError(t, <-results)
	require.Len(t, s.got, 2)
	assert.Equal(t, []string{"b"}, uidsOf(s.got[1]))
	assert.Zero(t, s.counter("bangui.collector.held"), "waiting is no refusal")
}

func TestARefusedBatchHoldsUpNoOther(t *testing.T) {
	s := newSetup(t, nil)
	s.answer = func(plog.Logs) error { return errForbidden }
	require.Error(t, s.consume(batchOf("a")))
	s.answer = func(plog.Logs) error { return nil }
	require.NoError(t, s.consume(batchOf("b")))
}

func TestWithoutALimitBatchesAreSentSideBySide(t *testing.T) {
	s := newSetup(t, func(config *Config) { config.MaxUnderWay = 0 })
	s.answer = func(batch plog.Logs) error {
		if uidsOf(batch)[0] == "a" {
			return s.consume(batchOf("b"))
		}
		return nil
	}
	require.NoError(t, s.consume(batchOf("a")))
}
