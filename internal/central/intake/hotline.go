package intake

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode"

	"haochaping/internal/central/books"
	"haochaping/internal/central/cases"
	"haochaping/internal/central/deadline"
	"haochaping/internal/central/journal"
	"haochaping/internal/rating"
)

// Requests binds replies to the requests that were sent.
type Requests interface {
	Bind(context.Context, deadline.Reply) (deadline.Bound, error)
	// Question sends a message to a number that has written.
	Question(ctx context.Context, r deadline.Reply, text string) error
	// Stop has no more messages sent to a number.
	Stop(ctx context.Context, who, name, number string) error
}

// Cases knows what is known of cases.
type Cases interface {
	Cases(context.Context, []rating.CaseKey) (map[rating.CaseKey]books.Case, error)
}

// Hotline takes what people answer to 12345, by short message and by the keys of a telephone (article 13).
type Hotline struct {
	Door     cases.Door
	Journal  *journal.Journal
	Requests Requests
	Cases    Cases
	// Keys says which level each key of a telephone means, as the call centre's announcement has them. None is guessed.
	Keys map[string]rating.Level
	// Judge takes what a citizen who was asked by message thinks of the work on their rating (article 18), and reports whether that is still
	// asked; mandatory where something else than a rating is asked by message.
	Judge func(ctx context.Context, about string, satisfied bool, words string) (bool, error)
}

// message is a short message as a gateway hands it on.
type message struct {
	ID         string    `json:"id"` // the gateway's; the same if it comes again
	Number     string    `json:"number"`
	Text       string    `json:"text"`
	ReceivedAt time.Time `json:"received_at"`
	ReplyTo    string    `json:"reply_to"` // id of the message that it answers, where the gateway knows it
}

// pressed is the key that somebody pressed in a call, about a case, or about what the number was asked.
type pressed struct {
	ID        string    `json:"id"` // the call's; the same if it comes again
	Key       string    `json:"key"`
	PressedAt time.Time `json:"pressed_at"`
	Area      string    `json:"area"`
	ProjectNo string    `json:"project_no"`
	Number    string    `json:"number"`
	ReplyTo   string    `json:"reply_to"`
	Letter    string    `json:"letter"` // of the request that was meant, where several wait
}

// Outcome says what has become of a message.
type Outcome string

// The outcomes.
const (
	OutcomeSaved   Outcome = "saved"
	OutcomeStopped Outcome = "stopped" // no more messages are sent to the number
	OutcomeAsked   Outcome = "asked"   // it was not clear, and the number was asked once
	OutcomeUnclear Outcome = "unclear" // it was not clear, and was asked about before, or answers nothing that was sent
	OutcomeLate    Outcome = "late"    // what it answers was answered otherwise meanwhile
)

// errInvalid says what of a message cannot be taken. It repeats neither number nor text.
var errInvalid = errors.New("invalid")

// errUsed says that a message has the id of another one.
var errUsed = fmt.Errorf("%w: the id was used for another message, and nothing of this one is saved", errInvalid)

// checkSent reports why a message or call with this id and number, given at a time, could not be taken.
func checkSent(id, number string, at time.Time, now int64) error {
	const ahead, oldest = 10 * 60_000, 30 * 24 * 60 * 60_000 // ms, as for every answer
	switch {
	case id == "" || len(id) > 100 || strings.ContainsFunc(id, func(r rune) bool { return r <= ' ' || r > '~' }):
		return fmt.Errorf("%w: id has 1 to 100 printable characters of ASCII", errInvalid)
	case len(number) > 20 || strings.Trim(number, "0123456789+-") != "":
		return fmt.Errorf("%w: number has at most 20 digits", errInvalid)
	case at.UnixMilli() > now+ahead || at.UnixMilli() < now-oldest:
		return fmt.Errorf("%w: the time is missing, lies in the future, or is more than 30 days ago", errInvalid)
	}
	return nil
}

// Take takes a short message. One with an id that the source has used already changes nothing.
func (h Hotline) Take(ctx context.Context, who cases.Holder, m message) (Outcome, error) {
	if err := checkSent(m.ID, m.Number, m.ReceivedAt, h.Journal.Now()); err != nil {
		return "", err
	}
	if m.Number == "" {
		return "", fmt.Errorf("%w: number is missing", errInvalid)
	}
	source := "sms:" + who.Name
	letter, rest := cutLetter(m.Text)
	said := ParseReply(rest)
	if whole := ParseReply(m.Text); whole.Stop { // the T of "4 T" names no request
		letter, said = "", whole
	}
	if said.Stop {
		err := h.Requests.Stop(ctx, source, m.ID, m.Number)
		if err != nil || said.Level == 0 {
			return OutcomeStopped, err
		}
	}
	r := deadline.Reply{Source: source, Name: m.ID, Number: m.Number, At: m.ReceivedAt.UnixMilli(), To: m.ReplyTo, Letter: letter,
		Unclear: said.Level == 0, Judges: said.judges(rest), Area: who.Area}
	bound, err := h.Requests.Bind(ctx, r)
	if err != nil {
		return "", err
	}
	if bound.Request.ID == "" || !r.Answers(bound.Request) { // an unclear one is bound if its id was used for a clear one
		return h.ask(ctx, r, bound)
	}
	if bound.Request.About != "" {
		return h.judge(ctx, bound.Request.About, said)
	}
	a := journal.Answer{Case: bound.Request.Case, Level: said.Level, Channel: rating.SMS, At: r.At}
	return OutcomeSaved, h.save(ctx, source, m.ID, a, said.Text)
}

// judge hands on what a citizen thinks of the work on their rating.
func (h Hotline) judge(ctx context.Context, about string, said Reply) (Outcome, error) {
	taken, err := h.Judge(ctx, about, !said.Level.Bad(), said.Text)
	switch {
	case err != nil:
		return "", err
	case !taken:
		return OutcomeLate, nil
	}
	return OutcomeSaved, nil
}

// save enters an answer, once. Another one under its name is errUsed; the same with another time is not another one.
func (h Hotline) save(ctx context.Context, source, name string, a journal.Answer, text string) error {
	answers, texts := []journal.Answer{a}, []string{text}
	receipt, err := h.Journal.Answer(ctx, source, name, answers, texts)
	if err != nil || receipt.Entered {
		return err
	}
	answers[0].At = 0 // whoever hands it on again may have received it at another time, and the first holds
	same, err := Config{h.Door, h.Journal}.same(ctx, receipt.Pos, answers, texts)
	if err == nil && !same {
		return errUsed
	}
	return err
}

// ask asks once what a message meant, by what waits.
func (h Hotline) ask(ctx context.Context, r deadline.Reply, b deadline.Bound) (Outcome, error) {
	if !b.Ask {
		return OutcomeUnclear, nil
	}
	names, err := h.names(ctx, b.Waiting)
	if err != nil {
		return "", err
	}
	return OutcomeAsked, h.Requests.Question(ctx, r, question(b.Waiting, names))
}

// names returns the names of the matters that requests are about.
func (h Hotline) names(ctx context.Context, all []deadline.Request) ([]string, error) {
	var keys []rating.CaseKey
	for _, q := range all {
		keys = append(keys, q.Case)
	}
	known, err := h.Cases.Cases(ctx, keys)
	names := make([]string, len(all))
	for i, q := range all {
		if names[i] = known[q.Case].TaskName; q.About != "" {
			names[i] = "后续处理（满意或不满意）"
		} else if names[i] == "" {
			names[i] = "事项"
		}
	}
	return names, err
}

// question returns the words that ask what a message meant. It offers the five levels in the order of article 10 and suggests none.
func question(waiting []deadline.Request, names []string) string {
	const levels = "5非常满意 4满意 3基本满意 2不满意 1非常不满意"
	if len(waiting) == 1 && waiting[0].About != "" {
		return "【政务服务】没有看懂您的回复，尚未记录。对后续处理结果，请只回复 满意 或 不满意。不再接收请回复TD。"
	}
	if len(waiting) == 1 {
		return "【政务服务】没有看懂您的回复，尚未记录评价。请只回复一个数字：" + levels + "。不再接收请回复TD。"
	}
	var list []string
	for i, q := range waiting {
		if q.Letter != "" {
			list = append(list, q.Letter+" "+names[i])
		}
	}
	if slices.ContainsFunc(waiting, func(q deadline.Request) bool { return q.About != "" }) {
		return "【政务服务】您有几个问题可以答复，尚未记录。请回复字母加答复，如" + waiting[0].Letter + "加满意：" + strings.Join(list, "；") +
			"。评价也可用数字：" + levels + "。不再接收请回复TD。"
	}
	return "【政务服务】您有几个事项可以评价，尚未记录评价。请回复字母和数字，如" + waiting[0].Letter + "加数字：" + strings.Join(list, "；") + "。" + levels + "。不再接收请回复TD。"
}

// cutLetter returns the letter by which a message names a request, and the rest. A letter stands by itself, at the beginning or at the end:
// "B5", "5 b".
func cutLetter(message string) (letter, rest string) {
	text := strings.TrimFunc(narrow(message), mark)
	all := []rune(text)
	latin := func(r rune) bool { return r < unicode.MaxASCII && unicode.IsLetter(r) }
	n := len(all)
	switch {
	case n < 2:
	case latin(all[0]) && !latin(all[1]) && (!latin(all[n-1]) || latin(all[n-2])):
		return strings.ToUpper(string(all[0])), strings.TrimFunc(string(all[1:]), mark)
	case latin(all[n-1]) && !latin(all[n-2]) && (!latin(all[0]) || latin(all[1])):
		return strings.ToUpper(string(all[n-1])), strings.TrimFunc(string(all[:n-1]), mark)
	}
	return "", message
}

// SMSHandler serves POST /v1/sms/replies, to which a gateway hands on what people reply.
func (h Hotline) SMSHandler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var in message
		who, ok := h.Door.ReadBody(w, r, "sms", &in)
		if !ok {
			return
		}
		outcome, err := h.Take(r.Context(), who, in)
		switch {
		case errors.Is(err, errUsed):
			h.used(w)
		case errors.Is(err, errInvalid):
			h.Door.Answer(w, http.StatusUnprocessableEntity,
				cases.Problem{Code: "invalid", Message: "短信未保存，请按接口说明更正。 The message is not saved: " + err.Error()})
		case err != nil:
			h.Door.Fail(w, r, err)
		default:
			h.Door.Answer(w, http.StatusOK, map[string]Outcome{"outcome": outcome})
		}
	})
}

// used answers that a message or key has the id of another one.
func (h Hotline) used(w http.ResponseWriter) {
	h.Door.Answer(w, http.StatusConflict, cases.Problem{Code: "id_used", Message: "该 id 已用于另一评价，本次未保存。 This id was used for another rating, " +
		"and nothing of this one is saved."})
}

// waits is a request as a call centre hears of it.
type waits struct {
	Letter string `json:"letter"`
	Matter string `json:"matter"`
}

// VoiceHandler serves POST /v1/voice/keys, to which the call centre hands on a pressed key (评价人可通过电话按键…进行评价, article 13).
func (h Hotline) VoiceHandler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var in pressed
		who, ok := h.Door.ReadBody(w, r, "voice", &in)
		if !ok {
			return
		}
		if len(h.Keys) == 0 {
			h.Door.Answer(w, http.StatusNotImplemented, cases.Problem{Code: "no_keys", Message: "中心未配置电话按键对应的等级（cases.voice_keys），请联系中心管理员。 " +
				"cases.voice_keys is not set, and which level a key means is not guessed; ask the centre's administrator."})
			return
		}
		level, known := h.Keys[in.Key]
		if !known {
			h.Door.Answer(w, http.StatusUnprocessableEntity, cases.Problem{Code: "unknown_key", Message: "该按键没有对应的等级，未记录评价，请重播提示。 The key has no " +
				"level; play the announcement again."})
			return
		}
		k, waiting, err := h.called(r.Context(), who, in)
		if err == nil && k != (rating.CaseKey{}) {
			a := journal.Answer{Case: k, Level: level, Channel: rating.Voice, At: in.PressedAt.UnixMilli()}
			err = h.save(r.Context(), "voice:"+who.Name, in.ID+" "+k.String(), a, "") // a call may be about several cases
		}
		switch {
		case errors.Is(err, errUsed):
			h.used(w)
		case errors.Is(err, errInvalid):
			h.Door.Answer(w, http.StatusUnprocessableEntity,
				cases.Problem{Code: "invalid", Message: "按键未保存，请按接口说明更正。 The key is not saved: " + err.Error()})
		case err != nil:
			h.Door.Fail(w, r, err)
		case k == rating.CaseKey{}:
			h.Door.Answer(w, http.StatusConflict, map[string]any{"code": "ambiguous", "waiting": waiting,
				"message": "不能确定评价的是哪个办件，未记录；请播报 waiting 中的事项，再以 letter 发送。 It is not sure which case is meant, and nothing is saved; ask, and send " +
					"letter."})
		default:
			h.Door.Answer(w, http.StatusOK, map[string]Outcome{"outcome": OutcomeSaved})
		}
	})
}

// called returns the case that a key was pressed about, empty if that is not sure, and then what waits.
func (h Hotline) called(ctx context.Context, who cases.Holder, in pressed) (k rating.CaseKey, waiting []waits, err error) {
	if err := checkSent(in.ID, in.Number, in.PressedAt, h.Journal.Now()); err != nil {
		return k, nil, err
	}
	if in.Area != "" || in.ProjectNo != "" {
		k = rating.CaseKey{Area: rating.PadArea(in.Area), Project: in.ProjectNo}
		if err := k.Check(); err != nil {
			return k, nil, fmt.Errorf("%w: %w", errInvalid, err)
		}
		if !who.Has(k.Area) {
			return k, nil, fmt.Errorf("%w: no such case is known", errInvalid)
		}
		return k, nil, nil
	}
	if in.Number == "" {
		return k, nil, fmt.Errorf("%w: area and project_no, or number", errInvalid)
	}
	if len(in.Letter) > 1 || strings.ContainsFunc(in.Letter, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return k, nil, fmt.Errorf("%w: letter is one letter", errInvalid)
	}
	// What the call centre asks on in the same call is another reply.
	r := deadline.Reply{Source: "voice:" + who.Name, Name: in.ID + " " + in.Letter, Number: in.Number, At: in.PressedAt.UnixMilli(),
		To: in.ReplyTo, Letter: strings.ToUpper(in.Letter),
		Asked: true, Area: who.Area}
	bound, err := h.Requests.Bind(ctx, r)
	if err != nil || bound.Request.ID != "" {
		return bound.Request.Case, nil, err
	}
	names, err := h.names(ctx, bound.Waiting)
	for i, q := range bound.Waiting {
		waiting = append(waiting, waits{q.Letter, names[i]})
	}
	return rating.CaseKey{}, waiting, err
}
