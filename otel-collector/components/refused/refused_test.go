package refused

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestSplitTellsARefusalAloneFromOneWithCompany(t *testing.T) {
	one := &Documents{UIDs: []string{"a"}, Reason: "mapping"}
	two := &Documents{UIDs: []string{"b"}, Reason: "mapping"}
	cases := map[string]struct {
		err   error
		found int
		only  bool
	}{
		"nothing":        {nil, 0, false},
		"plain":          {errors.New("refused"), 0, false},
		"alone":          {one, 1, true},
		"wrapped":        {fmt.Errorf("flush: %w", fmt.Errorf("decode: %w", one)), 1, true},
		"two":            {errors.Join(fmt.Errorf("x: %w", one), two), 2, true},
		"with another":   {errors.Join(one, errors.New("timeout")), 1, false},
		"another inside": {fmt.Errorf("%w and %w", errors.New("timeout"), two), 1, false},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			found, only := Split(test.err)
			assert.Len(t, found, test.found)
			assert.Equal(t, test.only, only)
		})
	}
}

type ring struct{}

func (r ring) Error() string { return "ring" }
func (r ring) Unwrap() error { return r }

func TestSplitEndsOnARing(t *testing.T) {
	found, only := Split(ring{})
	assert.Empty(t, found)
	assert.False(t, only)
}
