package windowapi

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"haochaping/internal/rating"
)

// maxBody is the greatest size of a request's body in bytes. It is larger than rating.MaxVisit, whose names are UTF-8 while
// a request may write them as escapes.
const maxBody = 128 << 10

type staffJSON struct {
	ID         string `json:"id,omitzero"`
	Name       string `json:"name,omitzero"`
	Department string `json:"department,omitzero"`
}

type caseJSON struct {
	ProjectNo string `json:"project_no"`
	Area      string `json:"area"`
	TaskCode  string `json:"task_code"`
	TaskName  string `json:"task_name"`
	Completed bool   `json:"completed"`
}

type visitJSON struct {
	Staff    staffJSON        `json:"staff"`
	Cases    []caseJSON       `json:"cases"`
	Grouping rating.Grouping  `json:"grouping"`
	Separate bool             `json:"separate"`
	Subjects []rating.Subject `json:"subjects"`
	WaitSec  int              `json:"wait_sec"`
}

// visit returns the visit with the defaults of what the request leaves out: the person is asked about, and the matter where
// a case is completed (article 14).
func (j visitJSON) visit() rating.Visit {
	v := rating.Visit{
		Staff: rating.Staff(j.Staff), Grouping: j.Grouping, Separate: j.Separate, Subjects: j.Subjects, WaitSec: j.WaitSec,
		Opener: rating.OpenedByPC,
	}
	for _, c := range j.Cases {
		c.Area = rating.PadArea(c.Area)
		v.Cases = append(v.Cases, rating.Case(c))
	}
	if len(v.Subjects) == 0 {
		v.Subjects = []rating.Subject{rating.StaffSubject}
		if len(v.Completed()) > 0 {
			v.Subjects = append(v.Subjects, rating.MatterSubject)
		}
	}
	return v
}

// readBody returns the body, or the problem with it.
func readBody(r *http.Request) ([]byte, *problem) {
	fail := func(p problem) ([]byte, *problem) { return nil, &p }
	if kind, params, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" ||
		params["charset"] != "" && !strings.EqualFold(params["charset"], "utf-8") {
		return fail(problemMediaType())
	}
	body, err := io.ReadAll(r.Body)
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return fail(problemTooLarge())
	case errors.Is(err, os.ErrDeadlineExceeded):
		return fail(problemTooSlow())
	case err != nil:
		return fail(problemInvalid("", "请求体没有收全。", "The body did not arrive whole."))
	}
	return body, nil
}

// decode reads the body as exactly one JSON object of the form of v: names as they are written, none twice, none unknown,
// and no null.
func decode(body []byte, v any) *problem {
	fail := func(pointer jsontext.Pointer, zh, en string) *problem {
		p := problemInvalid(string(pointer), zh, en)
		return &p
	}
	// A JSON reader takes a null for an absent value. The description does not: who sends one has lost something.
	d := jsontext.NewDecoder(strings.NewReader(string(body)))
	for {
		t, err := d.ReadToken()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fail("", "请求体不是有效的 JSON（UTF-8，名称不重复）。", fmt.Sprintf("The body is not valid JSON, in UTF-8 and without a name twice: %v.", err))
		}
		if t.Kind() == 'n' {
			return fail(d.StackPointer(), "不可为 null；没有值时请省略。", "null is not allowed; leave out what has no value.")
		}
	}
	err := json.Unmarshal(body, v, json.RejectUnknownMembers(true))
	var semantic *json.SemanticError
	switch {
	case errors.As(err, &semantic) && errors.Is(err, json.ErrUnknownName):
		return fail(semantic.JSONPointer, "没有这个字段。", "There is no such field.")
	case errors.As(err, &semantic):
		return fail(semantic.JSONPointer, "类型不对。", "It has the wrong type.")
	case err != nil:
		return fail("", "请求体应是一个 JSON 对象。", "The body must be one JSON object.")
	}
	return nil
}

// check reports the first field out of the bounds that the description gives it. The same bounds hold in the domain, which
// does not know the names of this API's fields.
func (j visitJSON) check() *problem {
	c := new(checker)
	c.staff("/staff", j.Staff)
	if len(j.Cases) > rating.MaxCases {
		c.bad("/cases", fmt.Sprintf("最多 %d 个办件。", rating.MaxCases), fmt.Sprintf("At most %d cases are allowed.", rating.MaxCases))
	}
	for i, k := range j.Cases {
		at := fmt.Sprintf("/cases/%d", i)
		if k.ProjectNo == "" {
			c.bad(at+"/project_no", "缺少办件编号。", "The project number is missing.")
		}
		c.code(at+"/project_no", k.ProjectNo)
		if rating.CheckArea(rating.PadArea(k.Area)) != nil {
			c.bad(at+"/area", "行政区划代码应为 12 位或 6 位数字。", "An area's code has 12 or 6 digits.")
		}
		c.code(at+"/task_code", k.TaskCode)
		c.name(at+"/task_name", k.TaskName)
	}
	if j.Separate && len(j.visit().Completed()) > rating.MaxSeparate {
		c.bad("/separate", fmt.Sprintf("逐项评价最多 %d 个办结的办件，更多请整体评价或分次发起。", rating.MaxSeparate),
			fmt.Sprintf("At most %d completed cases are asked about one by one; ask about the theme as a whole, or open several visits.",
				rating.MaxSeparate))
	}
	if !slices.Contains([]rating.Grouping{rating.Single, rating.Batch, rating.Theme}, j.Grouping) {
		c.bad("/grouping", "应为 single、batch 或 theme。", "It must be single, batch or theme.")
	}
	for i, s := range j.Subjects {
		if !s.Valid() {
			c.bad(fmt.Sprintf("/subjects/%d", i), "应为 staff 或 matter。", "It must be staff or matter.")
		}
	}
	if most := int(rating.MaxWait / time.Second); j.WaitSec < 0 || j.WaitSec > most {
		c.bad("/wait_sec", fmt.Sprintf("应为 0 到 %d 秒。", most), fmt.Sprintf("It must be 0 to %d seconds.", most))
	}
	return c.problem
}

// check reports why nobody can be signed in as s.
func (s staffJSON) check() *problem {
	c := new(checker)
	if s.ID == "" {
		c.bad("/id", "缺少工号。", "The staff number is missing.")
	}
	c.staff("", s)
	return c.problem
}

// checker keeps the first problem.
type checker struct{ problem *problem }

func (c *checker) bad(pointer, zh, en string) {
	if c.problem == nil {
		p := problemInvalid(pointer, zh, en)
		c.problem = &p
	}
}

func (c *checker) staff(at string, s staffJSON) {
	c.code(at+"/id", s.ID)
	c.name(at+"/name", s.Name)
	c.name(at+"/department", s.Department)
}

func (c *checker) code(pointer, s string) {
	if len(s) > rating.MaxCode || strings.IndexFunc(s, func(r rune) bool { return r <= ' ' || r > '~' }) >= 0 {
		c.bad(pointer, fmt.Sprintf("最多 %d 个可打印 ASCII 字符，不含空格。", rating.MaxCode),
			fmt.Sprintf("At most %d printable ASCII characters without spaces are allowed.", rating.MaxCode))
	}
}

func (c *checker) name(pointer, s string) {
	if utf8.RuneCountInString(s) > rating.MaxName || strings.IndexFunc(s, unicode.IsControl) >= 0 {
		c.bad(pointer, fmt.Sprintf("最多 %d 个字，不含控制字符。", rating.MaxName), fmt.Sprintf("At most %d characters without control characters are "+
			"allowed.", rating.MaxName))
	}
}
