package main

import (
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// safe makes a value that JSON can hold of one that pdata has made.
func safe(value any) any {
	switch value := value.(type) {
	case float64:
		return finite(value)
	case map[string]any:
		for name, one := range value {
			value[name] = safe(one)
		}
	case []any:
		for index, one := range value {
			value[index] = safe(one)
		}
	}
	return value
}

func attributes(of pcommon.Map) any { return safe(of.AsRaw()) }

func scopeOf(scope pcommon.InstrumentationScope) map[string]any {
	return map[string]any{
		"name": scope.Name(), "version": scope.Version(), "attributes": attributes(scope.Attributes()),
	}
}

func otlpLogs(logs plog.Logs) []record {
	var records []record
	for _, resource := range logs.ResourceLogs().All() {
		for _, scope := range resource.ScopeLogs().All() {
			for _, log := range scope.LogRecords().All() {
				records = append(records, record{kindLog, map[string]any{
					"time_unix_nano":          uint64(log.Timestamp()),
					"observed_time_unix_nano": uint64(log.ObservedTimestamp()),
					"severity_number":         int32(log.SeverityNumber()),
					"severity_text":           log.SeverityText(),
					"event_name":              log.EventName(),
					"body":                    safe(log.Body().AsRaw()),
					"attributes":              attributes(log.Attributes()),
					"trace_id":                log.TraceID().String(),
					"span_id":                 log.SpanID().String(),
					"flags":                   uint32(log.Flags()),
					"resource":                attributes(resource.Resource().Attributes()),
					"scope":                   scopeOf(scope.Scope()),
				}})
			}
		}
	}
	return records
}

func otlpSpans(traces ptrace.Traces) []record {
	var records []record
	for _, resource := range traces.ResourceSpans().All() {
		for _, scope := range resource.ScopeSpans().All() {
			for _, span := range scope.Spans().All() {
				value := otlpSpan(span)
				value["resource"] = attributes(resource.Resource().Attributes())
				value["scope"] = scopeOf(scope.Scope())
				records = append(records, record{kindSpan, value})
			}
		}
	}
	return records
}

func otlpSpan(span ptrace.Span) map[string]any {
	events := make([]any, 0, span.Events().Len())
	for _, event := range span.Events().All() {
		events = append(events, map[string]any{
			"time_unix_nano": uint64(event.Timestamp()), "name": event.Name(),
			"attributes": attributes(event.Attributes()),
		})
	}
	links := make([]any, 0, span.Links().Len())
	for _, link := range span.Links().All() {
		links = append(links, map[string]any{
			"trace_id": link.TraceID().String(), "span_id": link.SpanID().String(),
			"attributes": attributes(link.Attributes()),
		})
	}
	return map[string]any{
		"trace_id": span.TraceID().String(), "span_id": span.SpanID().String(),
		"parent_span_id": span.ParentSpanID().String(), "trace_state": span.TraceState().AsRaw(),
		"name": span.Name(), "kind": strings.ToLower(span.Kind().String()),
		"start_time_unix_nano": uint64(span.StartTimestamp()),
		"end_time_unix_nano":   uint64(span.EndTimestamp()),
		"status": map[string]any{
			"code": strings.ToLower(span.Status().Code().String()), "message": span.Status().Message(),
		},
		"attributes": attributes(span.Attributes()), "events": events, "links": links,
	}
}

func otlpMetrics(metrics pmetric.Metrics) []record {
	var records []record
	for _, resource := range metrics.ResourceMetrics().All() {
		for _, scope := range resource.ScopeMetrics().All() {
			for _, metric := range scope.Metrics().All() {
				value := otlpMetric(metric)
				value["resource"] = attributes(resource.Resource().Attributes())
				value["scope"] = scopeOf(scope.Scope())
				records = append(records, record{kindMetric, value})
			}
		}
	}
	return records
}

func otlpMetric(metric pmetric.Metric) map[string]any {
	value := map[string]any{
		"name": metric.Name(), "unit": metric.Unit(), "description": metric.Description(),
		"type": strings.ToLower(metric.Type().String()),
	}
	points := []any{}
	switch metric.Type() {
	case pmetric.MetricTypeGauge:
		for _, point := range metric.Gauge().DataPoints().All() {
			points = append(points, numberPoint(point))
		}
	case pmetric.MetricTypeSum:
		value["temporality"] = strings.ToLower(metric.Sum().AggregationTemporality().String())
		value["is_monotonic"] = metric.Sum().IsMonotonic()
		for _, point := range metric.Sum().DataPoints().All() {
			points = append(points, numberPoint(point))
		}
	case pmetric.MetricTypeHistogram:
		value["temporality"] = strings.ToLower(metric.Histogram().AggregationTemporality().String())
		for _, point := range metric.Histogram().DataPoints().All() {
			points = append(points, histogramPoint(point))
		}
	case pmetric.MetricTypeExponentialHistogram:
		histogram := metric.ExponentialHistogram()
		value["temporality"] = strings.ToLower(histogram.AggregationTemporality().String())
		for _, point := range histogram.DataPoints().All() {
			points = append(points, exponentialPoint(point))
		}
	case pmetric.MetricTypeSummary:
		for _, point := range metric.Summary().DataPoints().All() {
			points = append(points, summaryPoint(point))
		}
	}
	value["points"] = points
	return value
}

func numberPoint(point pmetric.NumberDataPoint) map[string]any {
	value := pointOf(point.Attributes(), point.StartTimestamp(), point.Timestamp())
	if point.ValueType() == pmetric.NumberDataPointValueTypeInt {
		value["value"] = point.IntValue()
	} else {
		value["value"] = finite(point.DoubleValue())
	}
	return value
}

func histogramPoint(point pmetric.HistogramDataPoint) map[string]any {
	value := pointOf(point.Attributes(), point.StartTimestamp(), point.Timestamp())
	value["count"], value["sum"] = point.Count(), finite(point.Sum())
	value["bounds"] = point.ExplicitBounds().AsRaw()
	value["bucket_counts"] = point.BucketCounts().AsRaw()
	return value
}

func exponentialPoint(point pmetric.ExponentialHistogramDataPoint) map[string]any {
	value := pointOf(point.Attributes(), point.StartTimestamp(), point.Timestamp())
	value["count"], value["sum"] = point.Count(), finite(point.Sum())
	value["scale"], value["zero_count"] = point.Scale(), point.ZeroCount()
	value["positive_offset"] = point.Positive().Offset()
	value["positive_counts"] = point.Positive().BucketCounts().AsRaw()
	value["negative_offset"] = point.Negative().Offset()
	value["negative_counts"] = point.Negative().BucketCounts().AsRaw()
	return value
}

func summaryPoint(point pmetric.SummaryDataPoint) map[string]any {
	value := pointOf(point.Attributes(), point.StartTimestamp(), point.Timestamp())
	value["count"], value["sum"] = point.Count(), finite(point.Sum())
	quantiles := make([]any, 0, point.QuantileValues().Len())
	for _, one := range point.QuantileValues().All() {
		quantiles = append(quantiles, map[string]any{
			"quantile": finite(one.Quantile()), "value": finite(one.Value()),
		})
	}
	value["quantiles"] = quantiles
	return value
}

func pointOf(of pcommon.Map, start, at pcommon.Timestamp) map[string]any {
	return map[string]any{
		"attributes": attributes(of), "start_time_unix_nano": uint64(start),
		"time_unix_nano": uint64(at),
	}
}
