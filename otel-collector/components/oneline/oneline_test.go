package oneline

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestALineHoldsNoSecretAndNoLineBreak(t *testing.T) {
	for text, want := range map[string]string{
		"Post \"https://u:hunter2@a.example/v1?key=hunter2\": EOF": `Post "https://***@a.example/v1?***": EOF`,
		"DD-API-KEY: hunter2, 403":                                 "DD-API-KEY: ***, 403",
		"Authorization: Bearer hunter2":                            "Authorization: ***",
		"a\r\nb\x00\tc\u2028d\xff":                                 "a b c d",
		"HTTP Status Code 401":                                     "HTTP Status Code 401",
	} {
		assert.Equal(t, want, Of(text, 1024))
	}
}

func TestALineIsCutBetweenCharacters(t *testing.T) {
	assert.Equal(t, "é", Of(strings.Repeat("é", 5), 3))
	assert.Equal(t, strings.Repeat("a", 7), Of(strings.Repeat("a", 1<<20), 7))
	assert.Equal(t, "", Cut("é", 1))
}
