package datadoglogs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.uber.org/zap"

	"bangui.local/otelcol/components/refused"
)

const (
	intakePath = "/api/v2/logs"
	keyHeader  = "DD-API-KEY"
	// So much of an answer is quoted in an error, and so much read to use the connection again.
	maxQuotedBytes  = 200
	maxDrainedBytes = 64 * 1024
	logEvery        = time.Minute
)

type sender struct {
	config   *Config
	url      string
	set      exporter.Settings
	mapper   *mapper
	client   *http.Client
	cut      metric.Int64Counter
	cutAttrs metric.MeasurementOption
	mutex    sync.Mutex
	warnedAt time.Time
}

func newSender(config *Config, set exporter.Settings) (*sender, error) {
	made := &sender{
		config: config, set: set, url: strings.TrimRight(config.Endpoint, "/") + intakePath,
		cutAttrs: metric.WithAttributes(attribute.String("exporter", set.ID.String())),
	}
	var err error
	made.cut, err = set.MeterProvider.Meter("bangui.local/otelcol/components/datadoglogs").
		Int64Counter("bangui.collector.truncated", metric.WithUnit("{record}"),
			metric.WithDescription("Records cut because the destination takes no longer ones."))
	if err != nil {
		return nil, err
	}
	made.mapper, err = newMapper(set.TelemetrySettings, config, made.truncated)
	return made, err
}

func (s *sender) start(ctx context.Context, host component.Host) error {
	client, err := s.config.ToClient(ctx, host.GetExtensions(), s.set.TelemetrySettings)
	if err != nil {
		return err
	}
	// The intake redirects nowhere; whoever does would get the key.
	client.CheckRedirect = func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}
	s.client = client
	s.cut.Add(ctx, 0, s.cutAttrs)
	return nil
}

func (s *sender) shutdown(context.Context) error {
	if s.client != nil {
		s.client.CloseIdleConnections()
	}
	return nil
}

func (s *sender) truncated() {
	s.cut.Add(context.Background(), 1, s.cutAttrs)
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if time.Since(s.warnedAt) >= logEvery {
		s.warnedAt = time.Now()
		s.set.Logger.Warn("records are longer than Datadog takes and were cut",
			zap.Int("limit_bytes", s.config.entryLimit()))
	}
}

// round is what came of one batch so far, by the records' places in it.
type round struct {
	delivered map[int]struct{}
	refused   map[int]struct{}
	refusals  []error
	// tooLarge are those that the intake calls too large even alone, with its last word on them.
	tooLarge      []entry
	tooLargeError error
	// contentAlone: the intake minds what records hold, not who sends them.
	contentAlone bool
}

// send delivers a batch in as many requests as the limits ask for. A request that is refused for
// good does not keep the others back; one that may succeed later ends the round. As long as any
// may, the error is retryable, and it carries what is left for exporters with a queue of their own.
func (s *sender) send(ctx context.Context, batch plog.Logs) error {
	entries, err := s.mapper.entries(ctx, batch)
	if err != nil {
		return consumererror.NewPermanent(err)
	}
	state := &round{
		delivered: make(map[int]struct{}), refused: make(map[int]struct{}), contentAlone: true,
	}
	err = s.deliverAll(ctx, entries, state)
	// The intake, or a proxy before it, may have called everything too large for a while that ended
	// within this batch: what it takes now is no dead letter.
	if again := state.tooLarge; err == nil && len(again) > 0 && len(state.delivered) > 0 {
		state.tooLarge = nil
		err = s.deliverAll(ctx, again, state)
	}
	if err != nil {
		return consumererror.NewLogs(err, without(batch, state.delivered))
	}
	state.refuse(state.tooLarge, state.tooLargeError)
	return state.refusal(batch)
}

// deliverAll only returns errors that may be gone later.
func (s *sender) deliverAll(ctx context.Context, entries []entry, state *round) error {
	for _, chunk := range chunks(entries, s.config.MaxBatchBytes) {
		if err := s.deliver(ctx, chunk, state); err != nil {
			return err
		}
	}
	return nil
}

func (r *round) refuse(entries []entry, err error) {
	if len(entries) == 0 {
		return
	}
	r.refusals = append(r.refusals, err)
	for _, one := range entries {
		r.refused[one.index] = struct{}{}
	}
}

// refusal is the permanent error of a round. When a part was delivered, it names the refused
// records, so that the hold processor does not bring the delivered ones again and again.
func (r *round) refusal(batch plog.Logs) error {
	if len(r.refusals) == 0 {
		return nil
	}
	if r.contentAlone && len(r.delivered) > 0 {
		if uids := uidsOf(batch, r.refused); len(uids) == len(r.refused) {
			return consumererror.NewPermanent(&refused.Documents{
				UIDs: uids, Reason: r.refusals[0].Error(), Confirmed: true,
			})
		}
	}
	return errors.Join(r.refusals...)
}

// deliver sends entries in one request, or in halves when the intake calls it too large. It only
// returns errors that may be gone later.
func (s *sender) deliver(ctx context.Context, entries []entry, state *round) error {
	code, err := s.post(ctx, payloadOf(entries))
	if err != nil && !consumererror.IsPermanent(err) {
		return err
	}
	if code == http.StatusRequestEntityTooLarge && len(entries) > 1 {
		half := len(entries) / 2
		if err := s.deliver(ctx, entries[:half], state); err != nil {
			return err
		}
		return s.deliver(ctx, entries[half:], state)
	}
	switch {
	case err == nil:
		for _, one := range entries {
			state.delivered[one.index] = struct{}{}
		}
	case code == http.StatusRequestEntityTooLarge:
		state.tooLarge = append(state.tooLarge, entries...)
		state.tooLargeError = err
	default:
		state.refuse(entries, err)
		state.contentAlone = state.contentAlone && code == http.StatusBadRequest
	}
	return nil
}

// post returns the intake's status and an error unless it is a success.
func (s *sender) post(ctx context.Context, payload []byte) (int, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url, bytes.NewReader(payload))
	if err != nil {
		return 0, consumererror.NewPermanent(err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set(keyHeader, string(s.config.APIKey))
	response, err := s.client.Do(request)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	quoted, err := io.ReadAll(io.LimitReader(response.Body, maxQuotedBytes))
	_, _ = io.CopyN(io.Discard, response.Body, maxDrainedBytes)
	if response.StatusCode >= 200 && response.StatusCode <= 299 {
		return response.StatusCode, nil
	}
	if err != nil {
		quoted = nil
	}
	refusal := fmt.Errorf("the intake answers %d: %s", response.StatusCode, s.withoutKey(quoted))
	if isRetryable(response.StatusCode) {
		return response.StatusCode, refusal
	}
	return response.StatusCode, consumererror.NewPermanent(refusal)
}

// withoutKey makes one printable line of the answer; a proxy may echo the header with the key,
// and the quote may end in the middle of it.
func (s *sender) withoutKey(answer []byte) string {
	text := strings.ReplaceAll(string(answer), string(s.config.APIKey), "***")
	key := string(s.config.APIKey)
	for length := len(key) - 1; length >= 4; length-- {
		if strings.HasSuffix(text, key[:length]) {
			text = text[:len(text)-length] + "***"
			break
		}
	}
	return strings.Join(strings.Fields(strings.ToValidUTF8(text, "")), " ")
}

func isRetryable(code int) bool {
	switch code {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		return true
	}
	return code >= 500
}
