package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// The service's limits of PutLogEvents.
const (
	maxPutBytes   = 1 << 20
	maxPutEvents  = 10_000
	eventOverhead = 26
	maxPutSpan    = 24 * time.Hour
	oldestEvent   = 14 * 24 * time.Hour
	newestEvent   = 2 * time.Hour
	// maxStreams bounds the groups and streams that are remembered.
	maxStreams = 10_000

	cloudWatchService = "logs"
	targetPrefix      = "Logs_20140328."
	typeAWSJSON       = "application/x-amz-json-1.1"
)

// cloudWatch is CloudWatch Logs: the groups and streams, and the actions on them.
type cloudWatch struct {
	accessKeyID, secretAccessKey string
	now                          func() time.Time

	lock   sync.Mutex
	groups map[string]*logGroup
	count  int
	puts   int
}

type logGroup struct {
	retentionDays int
	streams       map[string]bool
}

func newCloudWatch(accessKeyID, secretAccessKey string) *cloudWatch {
	return &cloudWatch{
		accessKeyID: accessKeyID, secretAccessKey: secretAccessKey,
		now: time.Now, groups: map[string]*logGroup{},
	}
}

// awsInput is the union of what the actions take.
type awsInput struct {
	LogGroupName        string `json:"logGroupName"`
	LogStreamName       string `json:"logStreamName"`
	LogStreamNamePrefix string `json:"logStreamNamePrefix"`
	RetentionInDays     int    `json:"retentionInDays"`
	LogEvents           []struct {
		Timestamp *int64  `json:"timestamp"`
		Message   *string `json:"message"`
	} `json:"logEvents"`
}

func (c *cloudWatch) handle(in incoming) answer {
	output, records, err := c.act(in)
	if err != nil {
		var refusal *awsError
		if !errors.As(err, &refusal) {
			refusal = &awsError{http.StatusBadRequest, "SerializationException", err.Error()}
		}
		return awsAnswer(refusal)
	}
	given := jsonAnswer(http.StatusOK, output)
	given.contentType, given.records = typeAWSJSON, records
	return given
}

func awsAnswer(refusal *awsError) answer {
	given := jsonAnswer(refusal.status, map[string]string{
		"__type": refusal.name, "message": refusal.message,
	})
	given.contentType = typeAWSJSON
	return given
}

// awsRefusal names an error that goes with a status. Throttling is 400 in the real service; its
// name is what clients look at.
func awsRefusal(status int) answer {
	names := map[int]string{
		400: "InvalidParameterException", 401: "UnrecognizedClientException",
		403: "AccessDeniedException", 404: "ResourceNotFoundException",
		413: "RequestEntityTooLargeException", 429: "ThrottlingException",
		500: "InternalFailure", 503: "ServiceUnavailableException",
	}
	return awsAnswer(&awsError{status, names[status], "asked for by the test"})
}

func (c *cloudWatch) act(in incoming) (any, []record, error) {
	if c.accessKeyID != "" {
		err := checkSignature(in, c.accessKeyID, c.secretAccessKey, cloudWatchService, c.now())
		if err != nil {
			return nil, nil, err
		}
	}
	body, err := in.plain(maxBodyBytes)
	if err != nil {
		return nil, nil, err
	}
	var input awsInput
	if err := json.Unmarshal(body, &input); err != nil {
		return nil, nil, err
	}
	c.lock.Lock()
	defer c.lock.Unlock()
	nothing := struct{}{}
	switch action := strings.TrimPrefix(in.header.Get("X-Amz-Target"), targetPrefix); action {
	case "CreateLogGroup":
		return nothing, nil, c.createGroup(input.LogGroupName)
	case "CreateLogStream":
		return nothing, nil, c.createStream(input.LogGroupName, input.LogStreamName)
	case "DescribeLogStreams":
		output, err := c.describeStreams(input)
		return output, nil, err
	case "PutRetentionPolicy":
		group, err := c.group(input.LogGroupName)
		if err == nil {
			group.retentionDays = input.RetentionInDays
		}
		return nothing, nil, err
	case "PutLogEvents":
		return c.putEvents(input)
	case "TagResource", "TagLogGroup":
		return nothing, nil, nil
	default:
		return nil, nil, &awsError{http.StatusBadRequest, "UnknownOperationException", action}
	}
}

func (c *cloudWatch) group(name string) (*logGroup, error) {
	if group := c.groups[name]; group != nil {
		return group, nil
	}
	return nil, notFound("group")
}

func notFound(what string) error {
	return &awsError{http.StatusBadRequest, "ResourceNotFoundException",
		"The specified log " + what + " does not exist."}
}

func invalid(format string, values ...any) error {
	message := fmt.Sprintf(format, values...)
	return &awsError{http.StatusBadRequest, "InvalidParameterException", message}
}

// admit counts a new group or stream.
func (c *cloudWatch) admit(name string) error {
	if name == "" || len(name) > 512 {
		return invalid("a name must have 1 to 512 characters")
	}
	if c.count >= maxStreams {
		return &awsError{http.StatusBadRequest, "LimitExceededException", "too many groups and streams"}
	}
	c.count++
	return nil
}

func (c *cloudWatch) createGroup(name string) error {
	if c.groups[name] != nil {
		return alreadyExists("group")
	}
	if err := c.admit(name); err != nil {
		return err
	}
	c.groups[name] = &logGroup{streams: map[string]bool{}}
	return nil
}

func alreadyExists(what string) error {
	return &awsError{http.StatusBadRequest, "ResourceAlreadyExistsException",
		"The specified log " + what + " already exists."}
}

func (c *cloudWatch) createStream(groupName, name string) error {
	group, err := c.group(groupName)
	if err != nil {
		return err
	}
	if group.streams[name] {
		return alreadyExists("stream")
	}
	if err := c.admit(name); err != nil {
		return err
	}
	group.streams[name] = true
	return nil
}

func (c *cloudWatch) describeStreams(input awsInput) (any, error) {
	group, err := c.group(input.LogGroupName)
	if err != nil {
		return nil, err
	}
	var names []string
	for name := range group.streams {
		if strings.HasPrefix(name, input.LogStreamNamePrefix) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	streams := []any{}
	for _, name := range names {
		streams = append(streams, map[string]any{"logStreamName": name})
	}
	return map[string]any{"logStreams": streams}, nil
}

// putEvents refuses what breaks the documented rules. Events that are too old or too new do not
// fail the call: the service leaves them out and says so, which clients easily overlook.
func (c *cloudWatch) putEvents(input awsInput) (any, []record, error) {
	group, err := c.group(input.LogGroupName)
	if err != nil {
		return nil, nil, err
	}
	if !group.streams[input.LogStreamName] {
		return nil, nil, notFound("stream")
	}
	if err := checkEvents(input); err != nil {
		return nil, nil, err
	}
	now := c.now()
	past := oldestEvent
	if kept := time.Duration(group.retentionDays) * 24 * time.Hour; kept > 0 {
		past = min(past, kept)
	}
	rejected := map[string]int{}
	var records []record
	for index, event := range input.LogEvents {
		at := time.UnixMilli(*event.Timestamp)
		switch {
		case now.Sub(at) > past:
			rejected["tooOldLogEventEndIndex"] = index + 1
		case at.Sub(now) > newestEvent:
			if _, isKnown := rejected["tooNewLogEventStartIndex"]; !isKnown {
				rejected["tooNewLogEventStartIndex"] = index
			}
		default:
			records = append(records, record{kindLog, map[string]any{
				"log_group": input.LogGroupName, "log_stream": input.LogStreamName,
				"timestamp": *event.Timestamp, "message": *event.Message,
				// The service finds fields in messages that are JSON objects.
				"fields": jsonObject(*event.Message),
			}})
		}
	}
	c.puts++
	// Clients take an answer without a token for a failure.
	output := map[string]any{"nextSequenceToken": fmt.Sprintf("%056d", c.puts)}
	if len(rejected) > 0 {
		output["rejectedLogEventsInfo"] = rejected
	}
	return output, records, nil
}

func checkEvents(input awsInput) error {
	if len(input.LogEvents) == 0 || len(input.LogEvents) > maxPutEvents {
		return invalid("a batch must have 1 to %d log events", maxPutEvents)
	}
	length := 0
	for index, event := range input.LogEvents {
		if event.Timestamp == nil || event.Message == nil {
			return invalid("log event %d needs a timestamp and a message", index)
		}
		if *event.Timestamp < 0 || *event.Message == "" {
			return invalid("log event %d has a wrong timestamp or an empty message", index)
		}
		if index > 0 && *event.Timestamp < *input.LogEvents[index-1].Timestamp {
			return invalid("the log events of a request must be in chronological order")
		}
		length += len(*event.Message) + eventOverhead
	}
	if length > maxPutBytes {
		return invalid("%d bytes exceed the limit of %d", length, maxPutBytes)
	}
	first, last := *input.LogEvents[0].Timestamp, *input.LogEvents[len(input.LogEvents)-1].Timestamp
	if last-first > maxPutSpan.Milliseconds() {
		return invalid("the log events of a request cannot span more than 24 hours")
	}
	return nil
}
