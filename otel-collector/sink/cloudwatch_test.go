package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/aws/smithy-go"
)

const testKeyID = "AKIDFORTEST"

func startAWS(t *testing.T) *running {
	return start(t, "--aws-access-key-id", testKeyID, "--aws-secret-access-key", testKey)
}

// awsClient is the real SDK's client, against a sink.
func (r *running) awsClient(id, secret string) *cloudwatchlogs.Client {
	return cloudwatchlogs.New(cloudwatchlogs.Options{
		Region: "eu-central-1", BaseEndpoint: aws.String("http://" + r.door.address()),
		Credentials:      credentials.NewStaticCredentialsProvider(id, secret, ""),
		RetryMaxAttempts: 1,
	})
}

// put sends messages whose times lie apart as told.
func put(
	client *cloudwatchlogs.Client, messages []string, at ...time.Time,
) (*cloudwatchlogs.PutLogEventsOutput, error) {
	var events []types.InputLogEvent
	for index, message := range messages {
		when := aws.Int64(at[min(index, len(at)-1)].UnixMilli())
		event := types.InputLogEvent{Message: aws.String(message), Timestamp: when}
		events = append(events, event)
	}
	return client.PutLogEvents(context.Background(), &cloudwatchlogs.PutLogEventsInput{
		LogGroupName: aws.String("group"), LogStreamName: aws.String("stream"), LogEvents: events,
	})
}

func code(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	return fmt.Sprint(err)
}

func createForTest(t *testing.T, client *cloudwatchlogs.Client) {
	t.Helper()
	ctx, group, stream := context.Background(), aws.String("group"), aws.String("stream")
	_, err := client.CreateLogStream(ctx, &cloudwatchlogs.CreateLogStreamInput{
		LogGroupName: group, LogStreamName: stream,
	})
	equal(t, "stream before its group", code(err), "ResourceNotFoundException")
	_, err = client.CreateLogGroup(ctx, &cloudwatchlogs.CreateLogGroupInput{LogGroupName: group})
	must(t, err)
	_, err = client.CreateLogGroup(ctx, &cloudwatchlogs.CreateLogGroupInput{LogGroupName: group})
	equal(t, "group again", code(err), "ResourceAlreadyExistsException")
	_, err = put(client, []string{"m"}, time.Now())
	equal(t, "events before the stream", code(err), "ResourceNotFoundException")
	_, err = client.CreateLogStream(ctx, &cloudwatchlogs.CreateLogStreamInput{
		LogGroupName: group, LogStreamName: stream,
	})
	must(t, err)
	_, err = client.PutRetentionPolicy(ctx, &cloudwatchlogs.PutRetentionPolicyInput{
		LogGroupName: group, RetentionInDays: aws.Int32(1),
	})
	must(t, err)
	streams, err := client.DescribeLogStreams(ctx, &cloudwatchlogs.DescribeLogStreamsInput{
		LogGroupName: group,
	})
	must(t, err)
	equal(t, "streams", *streams.LogStreams[0].LogStreamName, "stream")
}

func TestCloudWatchTakesWhatTheSDKSends(t *testing.T) {
	own := startAWS(t)
	client := own.awsClient(testKeyID, testKey)
	createForTest(t, client)
	now := time.Now()
	structured := `{"body":"b","attributes":{"uid":"u5"}}`
	done, err := put(client, []string{structured, "plain"}, now)
	must(t, err)
	if done.NextSequenceToken == nil {
		t.Fatal("clients need the token")
	}
	logs := own.received().Logs
	equal(t, "group", logs[0].Record["log_group"], "group")
	equal(t, "time", logs[0].Record["timestamp"], now.UnixMilli())
	equal(t, "body", logs[0].Record["fields"].(map[string]any)["body"], "b")
	equal(t, "plain", logs[1].Record["message"], "plain")
	equal(t, "uids", own.counts().UIDs, map[string]int{"u5": 1})
	equal(t, "without", own.counts().WithoutUID, 1)
}

func TestCloudWatchLimits(t *testing.T) {
	own := startAWS(t)
	client := own.awsClient(testKeyID, testKey)
	createForTest(t, client)
	now := time.Now()
	many := strings.Split(strings.Repeat("m ", 10_001), " ")[:10_001]
	two := []string{"a", "b"}
	for _, wrong := range []struct {
		what     string
		messages []string
		at       []time.Time
	}{
		{"order", two, []time.Time{now, now.Add(-time.Second)}},
		{"count", many, []time.Time{now}},
		{"length", []string{strings.Repeat("x", 1<<20)}, []time.Time{now}},
		{"empty", []string{""}, []time.Time{now}},
		{"span", two, []time.Time{now.Add(-25 * time.Hour), now}},
	} {
		_, err := put(client, wrong.messages, wrong.at...)
		equal(t, wrong.what, code(err), "InvalidParameterException")
	}
	equal(t, "stored", len(own.received().Logs), 0)
	_, err := put(client, []string{strings.Repeat("x", 1<<20-26)}, now)
	must(t, err)
	// The group keeps one day; the service leaves out what is older, and what is from the future.
	old, err := put(client, []string{"old"}, now.Add(-48*time.Hour))
	must(t, err)
	equal(t, "too old", *old.RejectedLogEventsInfo.TooOldLogEventEndIndex, 1)
	future, err := put(client, []string{"now", "new"}, now, now.Add(3*time.Hour))
	must(t, err)
	equal(t, "too new", *future.RejectedLogEventsInfo.TooNewLogEventStartIndex, 1)
	equal(t, "stored", own.counts().Records["cloudwatch"][kindLog], 2)
}

func TestCloudWatchChecksSignatures(t *testing.T) {
	own := startAWS(t)
	_, err := put(own.awsClient(testKeyID, "wrong"), []string{"m"}, time.Now())
	equal(t, "wrong secret", code(err), "InvalidSignatureException")
	_, err = put(own.awsClient("OTHER", testKey), []string{"m"}, time.Now())
	equal(t, "wrong id", code(err), "UnrecognizedClientException")
	own.post(403, "/", []byte(`{}`), "X-Amz-Target", "Logs_20140328.PutLogEvents")
	equal(t, "status", own.received().Requests[0].Status, 403)
}
