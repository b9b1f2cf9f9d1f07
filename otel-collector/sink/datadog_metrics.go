package main

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/DataDog/agent-payload/v5/gogen"
)

// datadogSeries decodes a MetricPayload, in protobuf or in the JSON of the same API.
func datadogSeries(body []byte, in incoming) ([]record, error) {
	if strings.HasPrefix(in.header.Get("Content-Type"), "application/json") {
		return datadogSeriesJSON(body)
	}
	var payload gogen.MetricPayload
	if err := payload.Unmarshal(body); err != nil {
		return nil, fmt.Errorf("no MetricPayload: %w", err)
	}
	records := make([]record, 0, len(payload.Series))
	for _, series := range payload.Series {
		points := make([]any, 0, len(series.Points))
		for _, point := range series.Points {
			one := map[string]any{"timestamp": point.Timestamp, "value": finite(point.Value)}
			points = append(points, one)
		}
		resources := make([]any, 0, len(series.Resources))
		for _, resource := range series.Resources {
			resources = append(resources, map[string]any{"type": resource.Type, "name": resource.Name})
		}
		records = append(records, record{kindMetric, map[string]any{
			"metric": series.Metric, "type": datadogType(int32(series.Type)), "points": points,
			"tags": series.Tags, "resources": resources, "unit": series.Unit,
			"interval": series.Interval, "source_type_name": series.SourceTypeName,
		}})
	}
	return records, nil
}

func datadogType(number int32) string {
	name, ok := gogen.MetricPayload_MetricType_name[number]
	if !ok {
		return fmt.Sprint(number)
	}
	return strings.ToLower(name)
}

// jsonSeries is the JSON form of a series.
type jsonSeries struct {
	Metric string `json:"metric"`
	Type   int32  `json:"type"`
	Points []struct {
		Timestamp int64   `json:"timestamp"`
		Value     float64 `json:"value"`
	} `json:"points"`
	Tags      []string `json:"tags"`
	Resources []struct {
		Type string `json:"type"`
		Name string `json:"name"`
	} `json:"resources"`
	Unit           string `json:"unit"`
	Interval       int64  `json:"interval"`
	SourceTypeName string `json:"source_type_name"`
}

func datadogSeriesJSON(body []byte) ([]record, error) {
	var payload struct {
		Series []jsonSeries `json:"series"`
	}
	if err := json.Unmarshal(body, &payload); err != nil {
		return nil, fmt.Errorf("no series: %w", err)
	}
	records := make([]record, 0, len(payload.Series))
	for _, series := range payload.Series {
		if series.Metric == "" || len(series.Points) == 0 {
			return nil, fmt.Errorf("a series needs a metric and points")
		}
		records = append(records, record{kindMetric, map[string]any{
			"metric": series.Metric, "type": datadogType(series.Type), "points": series.Points,
			"tags": series.Tags, "resources": series.Resources, "unit": series.Unit,
			"interval": series.Interval, "source_type_name": series.SourceTypeName,
		}})
	}
	return records, nil
}

// datadogSketches decodes a SketchPayload, the form of distributions.
func datadogSketches(body []byte, _ incoming) ([]record, error) {
	var payload gogen.SketchPayload
	if err := payload.Unmarshal(body); err != nil {
		return nil, fmt.Errorf("no SketchPayload: %w", err)
	}
	records := make([]record, 0, len(payload.Sketches))
	for _, sketch := range payload.Sketches {
		points := make([]any, 0, len(sketch.Dogsketches))
		for _, one := range sketch.Dogsketches {
			points = append(points, map[string]any{
				"timestamp": one.Ts, "count": one.Cnt, "min": finite(one.Min), "max": finite(one.Max),
				"avg": finite(one.Avg), "sum": finite(one.Sum), "bins": one.K, "bin_counts": one.N,
			})
		}
		records = append(records, record{kindMetric, map[string]any{
			"metric": sketch.Metric, "type": "distribution", "points": points,
			"tags": sketch.Tags, "host": sketch.Host,
		}})
	}
	return records, nil
}
