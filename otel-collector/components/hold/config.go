package hold

import (
	"errors"
	"fmt"
	"regexp"
	"time"

	"go.opentelemetry.io/collector/component"
)

const (
	defaultGiveUpAfter      = 4 * time.Hour
	defaultMaxDeadLetterMiB = 1024
	bytesPerMiB             = 1 << 20
)

// A destination becomes the name of a folder and a label of metrics.
var destinationPattern = regexp.MustCompile(`^[a-z0-9_-]{1,64}$`)

// Config of the hold processor.
type Config struct {
	// DeadLetterDirectory is the folder below which given-up batches are kept, one folder a
	// destination.
	DeadLetterDirectory string `mapstructure:"dead_letter_directory"`
	// Destination names what follows; empty takes the name part of the component's id.
	Destination string `mapstructure:"destination"`
	// GiveUpAfter is how long a batch must have been refused for good before it is given up.
	GiveUpAfter time.Duration `mapstructure:"give_up_after"`
	// MaxDeadLetterMiB bounds the whole folder; beyond it batches are held on.
	MaxDeadLetterMiB int `mapstructure:"max_dead_letter_mib"`
	// MaxUnderWay bounds the batches that are sent at a time, so the copies after a fault; 0 leaves
	// it to the hop.
	MaxUnderWay int `mapstructure:"max_under_way"`

	// prevents unkeyed literals
	_ struct{}
}

func createDefaultConfig() component.Config {
	return &Config{
		GiveUpAfter:      defaultGiveUpAfter,
		MaxDeadLetterMiB: defaultMaxDeadLetterMiB,
		MaxUnderWay:      1,
	}
}

// Validate checks what can be checked without the component's id.
func (c *Config) Validate() error {
	var problems []error
	if c.DeadLetterDirectory == "" {
		problems = append(problems, errors.New("dead_letter_directory is required"))
	}
	if c.Destination != "" && !destinationPattern.MatchString(c.Destination) {
		problems = append(problems, fmt.Errorf("destination must match %s", destinationPattern))
	}
	if c.GiveUpAfter <= 0 {
		problems = append(problems, errors.New("give_up_after must be positive"))
	}
	if c.MaxDeadLetterMiB < 1 {
		problems = append(problems, errors.New("max_dead_letter_mib must be at least 1"))
	}
	if c.MaxUnderWay < 0 {
		problems = append(problems, errors.New("max_under_way must not be negative"))
	}
	return errors.Join(problems...)
}

// destination is the configured one, else the name part of the id: `hold/datadog` is `datadog`.
func (c *Config) destination(id component.ID) (string, error) {
	name := c.Destination
	if name == "" {
		name = id.Name()
	}
	if !destinationPattern.MatchString(name) {
		return "", fmt.Errorf("%s needs a destination that matches %s", id, destinationPattern)
	}
	return name, nil
}
