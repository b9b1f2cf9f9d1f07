package main

import (
	"bytes"
	"fmt"

	pb "github.com/DataDog/datadog-agent/pkg/proto/pbgo/trace"
	"github.com/tinylib/msgp/msgp"
	"google.golang.org/protobuf/proto"
)

// datadogTraces decodes an AgentPayload into its spans.
func datadogTraces(body []byte, _ incoming) ([]record, error) {
	var payload pb.AgentPayload
	if err := proto.Unmarshal(body, &payload); err != nil {
		return nil, fmt.Errorf("no AgentPayload: %w", err)
	}
	if len(payload.IdxTracerPayloads) > 0 {
		// Spans that are not decoded would be missed silently.
		return nil, fmt.Errorf("payloads with string tables are not understood")
	}
	var records []record
	for _, tracer := range payload.TracerPayloads {
		common := map[string]any{
			"agent_hostname": payload.HostName, "agent_env": payload.Env,
			"agent_version": payload.AgentVersion, "agent_tags": payload.Tags,
			"hostname": tracer.Hostname, "env": tracer.Env, "app_version": tracer.AppVersion,
			"language": tracer.LanguageName, "tracer_version": tracer.TracerVersion,
			"container_id": tracer.ContainerID, "tracer_tags": tracer.Tags,
		}
		for _, chunk := range tracer.Chunks {
			for _, span := range chunk.Spans {
				records = append(records, record{kindSpan, datadogSpan(common, chunk, span)})
			}
		}
	}
	return records, nil
}

func datadogSpan(common map[string]any, chunk *pb.TraceChunk, span *pb.Span) map[string]any {
	metrics := make(map[string]any, len(span.Metrics))
	for name, value := range span.Metrics {
		metrics[name] = finite(value)
	}
	value := map[string]any{
		// Decimal, as Datadog writes them; as text, for JSON numbers are not exact there.
		"trace_id":  fmt.Sprint(span.TraceID),
		"span_id":   fmt.Sprint(span.SpanID),
		"parent_id": fmt.Sprint(span.ParentID),
		"service":   span.Service, "name": span.Name, "resource": span.Resource, "type": span.Type,
		"start": span.Start, "duration": span.Duration, "error": span.Error,
		"meta": span.Meta, "metrics": metrics,
		"links": span.SpanLinks, "events": span.SpanEvents,
		"priority": chunk.Priority, "origin": chunk.Origin, "chunk_tags": chunk.Tags,
		"dropped_trace": chunk.DroppedTrace,
	}
	for name, field := range common {
		value[name] = field
	}
	return value
}

// datadogStats decodes a StatsPayload into its groups.
func datadogStats(body []byte, _ incoming) ([]record, error) {
	var payload pb.StatsPayload
	if err := msgp.Decode(bytes.NewReader(body), &payload); err != nil {
		return nil, fmt.Errorf("no StatsPayload: %w", err)
	}
	var records []record
	for _, client := range payload.Stats {
		for _, bucket := range client.Stats {
			for _, group := range bucket.Stats {
				records = append(records, record{kindStat, map[string]any{
					"agent_hostname": payload.AgentHostname, "agent_env": payload.AgentEnv,
					"agent_version": payload.AgentVersion, "client_computed": payload.ClientComputed,
					"hostname": client.Hostname, "env": client.Env, "version": client.Version,
					"language": client.Lang, "tags": client.Tags,
					"container_id": client.ContainerID,
					"start":        bucket.Start, "bucket_duration": bucket.Duration,
					"service": group.Service, "name": group.Name, "resource": group.Resource,
					"type": group.Type, "http_status_code": group.HTTPStatusCode,
					"span_kind": group.SpanKind, "hits": group.Hits, "errors": group.Errors,
					"top_level_hits": group.TopLevelHits, "duration": group.Duration,
					"is_trace_root": group.IsTraceRoot.String(), "peer_tags": group.PeerTags,
					"ok_summary_bytes":    len(group.OkSummary),
					"error_summary_bytes": len(group.ErrorSummary),
				}})
			}
		}
	}
	return records, nil
}
