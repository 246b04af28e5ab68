package rectify

import "slices"

// Method is how somebody got in touch with a citizen, or tried to (通过电话、短信等方式, article 18).
type Method string

// The methods.
const (
	ByPhone   Method = "phone"
	ByMessage Method = "message"
	InFace    Method = "person"
	ByWeb     Method = "online"
)

// Methods returns all methods.
func Methods() []Method { return []Method{ByPhone, ByMessage, InFace, ByWeb} }

// Chinese returns the method as people read it.
func (m Method) Chinese() string {
	return map[Method]string{ByPhone: "电话", ByMessage: "短信", InFace: "当面", ByWeb: "网上"}[m]
}

// Result is what came of it.
type Result string

// The results.
const (
	Talked      Result = "talked"
	Declined    Result = "declined"
	NoAnswer    Result = "no_answer"
	Rejected    Result = "rejected"
	SwitchedOff Result = "off"
	WrongNumber Result = "wrong_number"
	NoReply     Result = "no_reply"
)

// Chinese returns the result as people read it.
func (r Result) Chinese() string {
	return map[Result]string{Talked: "联系上，已沟通", Declined: "联系上，不愿沟通", NoAnswer: "未接通", Rejected: "拒接", SwitchedOff: "关机或停机",
		WrongNumber: "号码有误", NoReply: "未回复、未见到"}[r]
}

// Side is who appeals (article 6: 受理复核申诉).
type Side string

// The sides.
const (
	OfCitizen Side = "citizen" // who has rated or complained
	OfRated   Side = "rated"   // the person who was
	OfUnit    Side = "unit"    // the unit that was
)

// Chinese returns the side as people read it.
func (s Side) Chinese() string {
	return map[Side]string{OfCitizen: "评价人、投诉人", OfRated: "被评价的工作人员", OfUnit: "被评价的单位"}[s]
}

// Methods returns the methods of which a deed names one, none of most.
func (d Deed) Methods() []Method {
	if d == Satisfied || d == Dissatisfied || len(d.Results()) > 0 {
		return Methods()
	}
	return nil
}

// Results returns the results of which a deed names one, none of most.
func (d Deed) Results() []Result {
	switch d {
	case Contact:
		return []Result{Talked, Declined}
	case Miss, Unreached:
		return []Result{NoAnswer, Rejected, SwitchedOff, WrongNumber, NoReply}
	}
	return nil
}

// Sides returns who may appeal now, each once: against what was closed either side, against what was not adopted the citizen alone, since
// nothing is held against the other. Nobody but the citizen hears of a clue.
func (p Part) Sides() (all []Side) {
	if !p.Appealed && (p.State == Closed || p.State == NotAdopted) {
		all = append(all, OfCitizen)
	}
	if !p.Objected && p.State == Closed && p.Counts && !p.Secret {
		all = append(all, OfRated, OfUnit)
	}
	return all
}

// objects reports whether it is the side that was rated which appeals.
func (p Part) objects() bool { return p.By == OfRated || p.By == OfUnit }

// For reports whether a hand may do a deed: a unit appeals for its own side, what others say is entered by the office.
func (a About) For(h Hand) bool { return a.By == h || a.Do == Appeal && h == Unit }

// choose drops what a deed does not ask to be chosen, and returns what was not chosen that it asks for.
func (e *Event) choose() error {
	if methods := e.Do.Methods(); len(methods) == 0 {
		e.Method = ""
	} else if !slices.Contains(methods, e.Method) {
		return refuse("请选择联系方式（电话、短信、当面、网上）。", "Say how: method is phone, message, person or online.")
	}
	if results := e.Do.Results(); len(results) == 0 {
		e.Result = ""
	} else if !slices.Contains(results, e.Result) {
		words, names := "", ""
		for _, r := range results {
			words, names = words+"、"+r.Chinese(), names+", "+string(r)
		}
		return refuse("请选择联系结果："+words[len("、"):]+"。", "Say what came of it: result is one of "+names[len(", "):]+".")
	}
	if e.Do != Appeal {
		e.Side = ""
	} else if e.Side.Chinese() == "" {
		return refuse("请选择由谁申诉。", "Say who appeals: side is citizen, rated or unit.")
	}
	return nil
}
