package cases

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"slices"
	"strings"

	strict "github.com/go-json-experiment/json"
)

// Tokens knows who may speak at a door.
type Tokens interface {
	// Holder returns the system to which a token belongs.
	Holder(token string) (h Holder, ok bool)
}

// Holder is a system that may speak at some doors.
type Holder struct {
	Name  string
	Area  string   // with which the areas of its cases begin; empty: all
	Doors []string // of Doors; none: plainDoors
}

// Doors returns what a token may be for.
func Doors() []string {
	return []string{"cases", "answers", "stop", "figures", "links", "voice", "sms", "kiosk"}
}

// plainDoors returns what a token is for that says nothing of doors, as those do that were made before the others came.
func plainDoors() []string { return []string{"cases", "answers", "stop", "figures"} }

// may reports whether the holder may speak at a door.
func (h Holder) may(door string) bool {
	if len(h.Doors) == 0 {
		return slices.Contains(plainDoors(), door)
	}
	return slices.Contains(h.Doors, door)
}

// Has reports whether an area is the holder's.
func (h Holder) Has(area string) bool { return strings.HasPrefix(area, h.Area) }

// Door reads requests of business systems and answers them.
type Door struct {
	Tokens Tokens
	Logger *slog.Logger
}

// MaxBody is the greatest size of a request's body in bytes.
const MaxBody = 1 << 20

// Problem says in an answer what is wrong and what to do.
type Problem struct {
	Code    string `json:"code"`
	Message string `json:"message"` // Chinese, then English
}

// Who returns the system that asks at a door. It answers by itself if there is none, or none that may.
func (d Door) Who(w http.ResponseWriter, r *http.Request, door string) (Holder, bool) {
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if ok {
		if h, known := d.Tokens.Holder(token); known && !h.may(door) {
			d.Answer(w, http.StatusForbidden, Problem{"forbidden",
				"此令牌不能用于该接口，请联系中心管理员。 This token is not for this door; ask the centre's administrator."})
			return Holder{}, false
		} else if known {
			return h, true
		}
	}
	w.Header().Set("WWW-Authenticate", "Bearer")
	d.Answer(w, http.StatusUnauthorized, Problem{"unauthorized", "令牌缺失或无效，请检查 Authorization 请求头。 The token is missing or unknown; check the " +
		"header Authorization."})
	return Holder{}, false
}

// Read returns the system that asks, its request's Idempotency-Key, and the body in v. It answers by itself if one of them is wrong.
func (d Door) Read(w http.ResponseWriter, r *http.Request, door string, v any) (who Holder, key string, ok bool) {
	if who, ok = d.Who(w, r, door); !ok {
		return Holder{}, "", false
	}
	key = r.Header.Get("Idempotency-Key")
	if len(key) < 1 || len(key) > 128 || strings.Trim(key, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_.:") != "" {
		d.Answer(w, http.StatusBadRequest, Problem{"idempotency_key", "请求头 Idempotency-Key 缺失或格式不对：1 至 128 个字母、数字或 - _ . :，同一请求重发时保持不变。 " +
			"The header Idempotency-Key has 1 to 128 letters, digits or - _ . : and stays the same when the request is sent again."})
		return Holder{}, "", false
	}
	return who, key, d.body(w, r, v)
}

// ReadBody is Read of a request that may be carried out twice, and has no Idempotency-Key.
func (d Door) ReadBody(w http.ResponseWriter, r *http.Request, door string, v any) (who Holder, ok bool) {
	if who, ok = d.Who(w, r, door); !ok {
		return Holder{}, false
	}
	return who, d.body(w, r, v)
}

func (d Door) body(w http.ResponseWriter, r *http.Request, v any) bool {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxBody))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		d.Answer(w, http.StatusRequestEntityTooLarge, Problem{"too_large", "请求体超过 1 MB，请分批发送。 The body has more than 1 MB; send it in parts."})
		return false
	case errors.Is(err, os.ErrDeadlineExceeded), err != nil:
		d.Answer(w, http.StatusBadRequest, Problem{"incomplete", "请求体没有收全，请重发。 The body did not arrive whole; send it again."})
		return false
	}
	if err := strict.Unmarshal(body, v, strict.RejectUnknownMembers(true)); err != nil {
		d.Answer(w, http.StatusBadRequest, Problem{"invalid", fmt.Sprintf("请求体不符合接口说明（/v1/openapi.yaml）。 The body is not as the description "+
			"has it: %v", shape(err))})
		return false
	}
	return true
}

// shape says where a body is wrong, and repeats nothing of it: it may hold a telephone number.
func shape(err error) string {
	var semantic *strict.SemanticError
	if errors.As(err, &semantic) {
		return fmt.Sprintf("at %q", semantic.JSONPointer)
	}
	return "it is no valid JSON"
}

// Answer writes an answer.
func (d Door) Answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(v); err != nil {
		d.Logger.Debug("an answer to a business system was not taken", "error", err)
	}
}

// Reused answers that a request's Idempotency-Key belongs to another request.
func (d Door) Reused(w http.ResponseWriter) {
	d.Answer(w, http.StatusConflict, Problem{"idempotency_key", "同一 Idempotency-Key 已用于另一请求，本次未保存，请换用新的。 " +
		"This Idempotency-Key was used for another request, and nothing of this one is saved; take a new one."})
}

// Fail answers that something of the centre does not work at present.
func (d Door) Fail(w http.ResponseWriter, r *http.Request, err error) {
	d.Logger.Error("a request of a business system could not be carried out; it sends it again", "path", r.URL.Path, "error", err)
	w.Header().Set("Retry-After", "5")
	d.Answer(w, http.StatusServiceUnavailable, Problem{"unavailable", "中心暂时无法保存，请稍后用同一 Idempotency-Key 重发。 Nothing is known to be saved; " +
		"send it again with the same Idempotency-Key."})
}
