package deadline

import (
	"net/http"
	"strings"

	"haochaping/internal/central/cases"
)

// StopHandler serves POST /v1/messages/stop, by which a gateway or hotline says that a number wants no more messages.
func StopHandler(door cases.Door, d *Deadlines) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var in struct {
			Number string `json:"number"`
		}
		who, key, ok := door.Read(w, r, "stop", &in)
		if !ok {
			return
		}
		if in.Number == "" || len(in.Number) > 20 || strings.Trim(in.Number, "0123456789+-") != "" {
			door.Answer(w, http.StatusUnprocessableEntity, cases.Problem{Code: "invalid",
				Message: "号码应为 20 位以内的数字。 A number has at most 20 digits."})
			return
		}
		if err := d.Stop(r.Context(), who.Name, key, in.Number); err != nil {
			door.Fail(w, r, err)
			return
		}
		door.Answer(w, http.StatusOK, map[string]bool{"stopped": true})
	})
}
