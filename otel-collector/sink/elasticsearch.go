package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

// elasticsearch takes the documents of a bulk request. A real server has more to say about each,
// and tests of that have one behind --forward.
func (f *front) elasticsearch(in incoming) answer {
	scheme, key, _ := strings.Cut(in.header.Get("Authorization"), " ")
	if f.key != "" && (!strings.EqualFold(scheme, "ApiKey") || !f.isKey(key)) {
		return elasticRefusal(http.StatusUnauthorized, "security_exception", "no valid credentials")
	}
	body, err := in.plain(maxBodyBytes)
	if err != nil {
		return elasticRefusal(http.StatusBadRequest, "parse_exception", err.Error())
	}
	items, err := parseBulk(body)
	if err != nil {
		return elasticRefusal(http.StatusBadRequest, "parse_exception", err.Error())
	}
	var records []record
	results := make([]map[string]any, 0, len(items))
	for number, item := range items {
		result := map[string]any{"_index": item.index, "_id": item.id, "status": http.StatusCreated}
		results = append(results, map[string]any{item.action: result})
		if item.action == "delete" {
			continue
		}
		_, text, _ := strings.Cut(string(item.lines), "\n")
		document := jsonObject(text)
		if document == nil {
			reason := fmt.Sprintf("document %d is no object", number)
			return elasticRefusal(http.StatusBadRequest, "parse_exception", reason)
		}
		value := map[string]any{"_index": item.index, "_id": item.id, "_source": document}
		records = append(records, record{kindLog, value})
	}
	text, err := json.Marshal(map[string]any{"took": 0, "errors": false, "items": results})
	if err != nil {
		return elasticRefusal(http.StatusInternalServerError, "exception", err.Error())
	}
	// Its clients take no other server for one.
	header := http.Header{"X-Elastic-Product": {"Elasticsearch"}}
	return answer{
		status: http.StatusOK, contentType: "application/json", header: header, body: text,
		records: records,
	}
}

func elasticRefusal(status int, name, reason string) answer {
	words := map[string]string{"type": name, "reason": reason}
	given := jsonAnswer(status, map[string]any{"error": words, "status": status})
	given.header = http.Header{"X-Elastic-Product": {"Elasticsearch"}}
	return given
}
