package ratepage

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"haochaping/internal/rating"
)

// Names of the form's fields. Those of an answer are prefixed with the question's field and a dot.
const (
	fieldSubmission = "submission"
	fieldLevel      = "level"
	fieldReason     = "reason"
	fieldText       = "text"
)

// maxForm is the greatest size of a submitted form in bytes: a text of 150 characters, each at most twelve bytes long when
// percent-encoded, for the staff and each of rating.MaxSeparate matters, and all the reasons leave half of it free.
const maxForm = 64 << 10

// submissionSize is the number of random bytes that name one filling-in of the form.
const submissionSize = 16

// Errors of a submitted form.
var (
	// errForm says that the form did not come from our page.
	errForm = errors.New("not a form of this page")
	// errNoLevel says that no level was chosen. The citizen is asked again.
	errNoLevel = errors.New("no level was chosen")
	// errLongText says that a text is too long. The citizen is asked again.
	errLongText = errors.New("the text is too long")
)

// answer is what the form holds about one question.
type answer struct {
	Level   rating.Level // 0: none chosen
	Reasons []string     // all that are ticked, also those of other levels
	Text    string
}

// form is a form as it was filled in. Both sending it and showing it again start from here.
type form struct {
	Submission string
	Answers    map[string]answer // by the question's field
}

// newForm returns the empty form with a submission that random draws.
func newForm(random io.Reader) (form, error) {
	var b [submissionSize]byte
	if _, err := io.ReadFull(random, b[:]); err != nil {
		return form{}, fmt.Errorf("draw a submission: %w", err)
	}
	return form{Submission: hex.EncodeToString(b[:]), Answers: map[string]answer{}}, nil
}

// readForm reads a submitted form. On errNoLevel and errLongText the form can be shown again as it was filled in; errForm
// returns nothing of use. Fields of other questions and unknown fields are ignored.
func readForm(values url.Values, accepted []question, reasons rating.Catalogue) (form, error) {
	f := form{Submission: values.Get(fieldSubmission), Answers: map[string]answer{}}
	if b, err := hex.DecodeString(f.Submission); err != nil || len(b) != submissionSize || strings.ToLower(f.Submission) != f.Submission {
		return form{}, fmt.Errorf("%w: the submission's number is damaged", errForm)
	}
	chosen, long := false, false
	for _, q := range accepted {
		a, err := readAnswer(values, q.Field, reasons)
		if err != nil {
			return form{}, err
		}
		chosen = chosen || a.Level != 0
		long = long || utf8.RuneCountInString(a.Text) > rating.MaxText
		f.Answers[q.Field] = a
	}
	switch {
	case long:
		return f, errLongText
	case !chosen:
		return f, errNoLevel
	}
	return f, nil
}

func readAnswer(values url.Values, field string, reasons rating.Catalogue) (answer, error) {
	var a answer
	prefix := field + "."
	switch level := values[prefix+fieldLevel]; {
	case len(level) == 0:
	case len(level) == 1 && len(level[0]) == 1 && rating.Level(level[0][0]-'0').Valid():
		a.Level = rating.Level(level[0][0] - '0')
	default:
		return answer{}, fmt.Errorf("%w: level of %s is none of 1 to 5", errForm, field)
	}
	for _, code := range values[prefix+fieldReason] {
		if _, ok := reasons.Find(code); !ok {
			return answer{}, fmt.Errorf("%w: a reason is not in the catalogue", errForm)
		}
		if !slices.Contains(a.Reasons, code) {
			a.Reasons = append(a.Reasons, code)
		}
	}
	text := values.Get(prefix + fieldText)
	if !utf8.ValidString(text) {
		return answer{}, fmt.Errorf("%w: the text is not UTF-8", errForm)
	}
	a.Text = oneLine(text)
	return a, nil
}

// oneLine makes line breaks and control characters single spaces, since a record's text is one line.
func oneLine(s string) string {
	return strings.Join(strings.FieldsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }), " ")
}

// evaluations returns what a form says about each question. Reasons of a level that was not chosen in the end stay behind:
// the browser sends what was ticked before the citizen changed the level. A question without a level has no evaluation,
// whatever else was filled in: silence is no answer (article 4).
func (f form) evaluations(visit rating.VisitID, accepted []question, reasons rating.Catalogue) []rating.Evaluation {
	var out []rating.Evaluation
	for _, q := range accepted {
		a := f.Answers[q.Field]
		if a.Level == 0 {
			continue
		}
		e := rating.Evaluation{Visit: visit, Subject: q.Subject, Case: q.Case, Level: a.Level, Channel: rating.Phone, Text: a.Text}
		for _, code := range a.Reasons {
			if r, ok := reasons.Find(code); ok && r.Level == a.Level {
				e.Reasons, e.Catalogue = append(e.Reasons, code), reasons.Version
			}
		}
		out = append(out, e)
	}
	return out
}

// id names what is sent: the same form of the same visit with the same answers has the same id, so that a second press of
// the button or a repeated request changes nothing. Going back and choosing otherwise is another submission, which the books
// keep beside the first.
func (f form) id(device rating.DeviceID, visit rating.VisitID, evaluations []rating.Evaluation) (string, error) {
	answers, err := json.Marshal(evaluations)
	if err != nil {
		return "", fmt.Errorf("name a submission: %w", err)
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\n%s\n%s\n%s", device, visit, f.Submission, answers))
	return hex.EncodeToString(sum[:submissionSize]), nil
}
