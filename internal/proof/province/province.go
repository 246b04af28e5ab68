// Package province is a superior system as tests meet it: it takes envelopes with services and evaluations, keeps the greatest version of
// each record, and answers with a receipt. A test says what goes wrong with each request: records are refused, requests taken twice,
// answers lost, broken off or garbled, and what was accepted is forgotten.
package province

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"sync"

	"haochaping/internal/guomi"
)

// Fault is what goes wrong with a request.
type Fault int

// The faults.
const (
	None    Fault = iota
	Lost          // it is taken, and the line breaks before the answer
	Broken        // it is taken, and the line breaks in the middle of the answer
	Half          // half of it is taken, and the line breaks
	Away          // nothing is taken, and the line breaks
	Double        // it is taken twice, and the second answer is given
	Garbage       // it is taken, and the answer is no receipt
	Failing       // nothing is taken, and the status is 500
	Busy          // nothing is taken: come again
	Silent        // it is taken, and the answer says nothing of half of it
	Refuse        // some of it is refused
	Forget        // it is taken, and some of what was taken ever is forgotten
	Bare          // it is taken, and the answer has no versions
)

// Faults returns all of them.
func Faults() []Fault {
	return []Fault{None, Lost, Broken, Half, Away, Double, Garbage, Failing, Busy, Silent, Refuse, Forget, Bare}
}

// Province is a superior system. Its methods are safe for concurrent use.
type Province struct {
	Key    guomi.Key
	Sender guomi.Public
	// Turn returns why a record is refused, empty where it is not; nil: none is.
	Turn func(record map[string]string) string

	mu      sync.Mutex
	fault   Faulty                       // guarded by mu; nil: nothing goes wrong
	pick    func(n int) int              // guarded by mu
	records map[string]map[string]string // guarded by mu; by id
	wrong   []string                     // guarded by mu; what no honest sender does
	batches map[string]bool              // guarded by mu
	posts   int                          // guarded by mu
}

// Faulty says what goes wrong with a request, by what is in it.
type Faulty func(kind string, records []map[string]string) Fault

// Breaks says what goes wrong from now on, nil: nothing, and with which of n records. What was under way has ended when it returns.
func (p *Province) Breaks(f Faulty, pick func(n int) int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fault, p.pick = f, pick
}

// Holds returns the records that are not withdrawn, by their ids.
func (p *Province) Holds() map[string]map[string]string {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := make(map[string]map[string]string)
	for id, r := range p.records {
		if r["dataOperation"] == "1" {
			out[id] = maps.Clone(r)
		}
	}
	return out
}

// Wrong returns what was received that no honest sender sends.
func (p *Province) Wrong() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.wrong...)
}

// Posts returns how many requests there were.
func (p *Province) Posts() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.posts
}

type result struct {
	ID      string `json:"id"`
	Version int64  `json:"version,omitempty"`
	Code    string `json:"code"`
	Message string `json:"message,omitempty"`
}

type receipt struct {
	Code    any      `json:"code"`
	Message string   `json:"message"`
	Results []result `json:"results"`
}

// ServeHTTP implements http.Handler.
func (p *Province) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.posts++
	kind, records, err := p.open(r)
	if err != nil {
		p.wrong = append(p.wrong, err.Error())
		http.Error(w, "bad envelope", http.StatusBadRequest)
		return
	}
	fault := None
	if p.fault != nil {
		fault = p.fault(kind, records)
	}
	switch fault {
	case Away:
		panic(http.ErrAbortHandler)
	case Failing:
		http.Error(w, "内部错误", http.StatusInternalServerError)
		return
	case Busy:
		p.answer(w, receipt{Code: 503, Message: "系统繁忙"})
		return
	case Half:
		p.take(kind, records[:(len(records)+1)/2], nil)
		panic(http.ErrAbortHandler)
	}
	refuse := make(map[string]bool)
	if fault == Refuse {
		refuse[records[p.pick(len(records))]["dataId"]] = true
	}
	out := receipt{Code: "0", Message: "成功", Results: p.take(kind, records, refuse)}
	switch fault {
	case Lost:
		panic(http.ErrAbortHandler)
	case Broken:
		text, _ := json.Marshal(out) // texts and numbers
		w.Header().Set("Content-Length", strconv.Itoa(len(text)))
		_, _ = w.Write(text[:len(text)/2])
		panic(http.ErrAbortHandler)
	case Double:
		out.Results = p.take(kind, records, refuse)
	case Garbage:
		_, _ = io.WriteString(w, `<html>{"code":"0","results":[{`)
		return
	case Silent:
		out.Results = out.Results[:len(out.Results)/2]
	case Forget:
		p.forget()
	case Bare:
		for i := range out.Results {
			out.Results[i].Version = 0
		}
	}
	p.answer(w, out)
}

func (p *Province) answer(w http.ResponseWriter, r receipt) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(r) // who is gone asks again
}

// open returns what an envelope holds.
func (p *Province) open(r *http.Request) (string, []map[string]string, error) {
	var e guomi.Envelope
	if err := json.NewDecoder(http.MaxBytesReader(nil, r.Body, 4<<20)).Decode(&e); err != nil {
		return "", nil, fmt.Errorf("no envelope: %w", err)
	}
	text, err := guomi.Open(p.Key, p.Sender, e)
	if err != nil {
		return "", nil, err
	}
	if p.batches == nil {
		p.batches, p.records = make(map[string]bool), make(map[string]map[string]string)
	}
	if p.batches[e.Batch] {
		return "", nil, fmt.Errorf("the batch %s comes twice", e.Batch)
	}
	p.batches[e.Batch] = true
	var l struct {
		Salt    string
		Records []map[string]string
	}
	if err := json.Unmarshal(text, &l); err != nil || l.Salt == "" || len(l.Records) == 0 {
		return "", nil, fmt.Errorf("the envelope holds %q: %w", text, err)
	}
	return e.Kind, l.Records, nil
}

func version(r map[string]string) int64 {
	n, err := strconv.ParseInt(r["dataVersion"], 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// take takes records, or says of which it has which version.
func (p *Province) take(kind string, records []map[string]string, refuse map[string]bool) (all []result) {
	for _, r := range records {
		id, v := r["dataId"], version(r)
		held, ok := p.records[id]
		answer := result{ID: id, Version: v, Code: "0"}
		switch {
		case kind == "check" && (!ok || held["dataOperation"] != "1"):
			answer.Code, answer.Message = "404", "没有这条数据"
		case kind == "check":
			answer.Version = version(held)
		case ok && version(held) >= v:
			answer.Version, answer.Code, answer.Message = version(held), "409", "数据已存在"
		case refuse[id]:
			answer.Code, answer.Message = "1001", "事项编码不存在"
		case p.Turn != nil && p.Turn(r) != "":
			answer.Code, answer.Message = "1001", p.Turn(r)
		case kind == "evaluation" && r["dataOperation"] == "1" && !p.served(r):
			answer.Code, answer.Message = "424", "服务记录不存在"
		default:
			p.records[id] = maps.Clone(r)
		}
		all = append(all, answer)
	}
	return all
}

// served reports whether the service of an evaluation is here.
func (p *Province) served(r map[string]string) bool {
	for _, s := range p.records {
		if s["serviceTime"] != "" && s["dataOperation"] == "1" && s["projectNo"] == r["projectNo"] && s["serviceNumber"] == r["serviceNumber"] {
			return true
		}
	}
	return false
}

// forget forgets one record.
func (p *Province) forget() {
	if ids := slices.Sorted(maps.Keys(p.records)); len(ids) > 0 {
		delete(p.records, ids[p.pick(len(ids))])
	}
}
