package main

import (
	"encoding/json"
	"strings"
)

// uidName is the attribute by which a test tells records apart: `log.record.uid`, under the key
// that it has in BanGUI's lines.
const uidName = "uid"

// maxUIDDepth bounds the search; vendors nest a few levels.
const maxUIDDepth = 8

// findUID looks for the record's id wherever a vendor's form may have put it: among attributes,
// as nested objects, or inside of a text that is JSON. It is empty when there is none.
func findUID(value any, depth int) string {
	if depth > maxUIDDepth {
		return ""
	}
	switch value := value.(type) {
	case map[string]any:
		return findUIDInMap(value, depth)
	case []any:
		for _, one := range value {
			if uid := findUID(one, depth+1); uid != "" {
				return uid
			}
		}
	case string:
		// Parsing every text would be wasteful; one that can hold the id says so.
		if strings.HasPrefix(value, "{") && strings.Contains(value, "uid") {
			var inner map[string]any
			if json.Unmarshal([]byte(value), &inner) == nil {
				return findUIDInMap(inner, depth+1)
			}
		}
	}
	return ""
}

func findUIDInMap(value map[string]any, depth int) string {
	if uid, ok := value[uidName].(string); ok {
		return uid
	}
	for _, one := range value {
		if uid := findUID(one, depth+1); uid != "" {
			return uid
		}
	}
	return ""
}
