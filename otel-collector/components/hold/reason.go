package hold

import (
	"context"
	"errors"
	"net/http"

	"go.opentelemetry.io/collector/consumer/consumererror"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"bangui.local/otelcol/components/oneline"
)

const maxReasonBytes = 1024

// reasonOf makes one line of at most 1 KiB of an error, with no secret in it.
func reasonOf(err error) string {
	return oneline.Of(err.Error(), maxReasonBytes)
}

// isPermanent tells whether trying again unchanged is pointless, by what the error itself says.
// In doubt it is not: a batch that is held too long costs disk, one given up costs data.
func isPermanent(err error) bool {
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return false
	}
	if consumererror.IsPermanent(err) {
		return true
	}
	var typed *consumererror.Error
	if errors.As(err, &typed) {
		return !typed.IsRetryable()
	}
	var answer interface{ StatusCode() int }
	if errors.As(err, &answer) {
		return isPermanentHTTP(answer.StatusCode())
	}
	if state, ok := status.FromError(err); ok {
		return isPermanentGRPC(state.Code())
	}
	return false
}

func isPermanentHTTP(code int) bool {
	switch code {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		return false
	}
	return code >= 400 && code < 500
}

// Exporters mark what else they take for permanent; ResourceExhausted, say, is a 429 of HTTP.
func isPermanentGRPC(code codes.Code) bool {
	switch code {
	case codes.InvalidArgument, codes.NotFound, codes.AlreadyExists, codes.PermissionDenied,
		codes.FailedPrecondition, codes.Unimplemented, codes.Unauthenticated:
		return true
	}
	return false
}
