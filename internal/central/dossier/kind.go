package dossier

import "slices"

// Kind says what a dossier is about.
type Kind string

// The kinds.
const (
	Sign        Kind = "sign"        // something that looks as if ratings were not genuine (articles 4 and 21)
	Mend        Kind = "mend"        // an order to mend to whoever was ranked low again and again (article 21)
	Problem     Kind = "problem"     // what many complain of (article 22)
	Sheet       Kind = "sheet"       // how a unit or person was rated in a year (article 20)
	Publication Kind = "publication" // a result that is published (article 19)
)

// Kinds returns all kinds.
func Kinds() []Kind { return []Kind{Sign, Mend, Problem, Sheet, Publication} }

// Chinese returns the kind's name.
func (k Kind) Chinese() string {
	switch k {
	case Sign:
		return "疑点"
	case Mend:
		return "限期整改"
	case Problem:
		return "集中问题"
	case Sheet:
		return "年度评价表"
	case Publication:
		return "发布稿"
	}
	return string(k)
}

// State is where a dossier is. The last one of each kind needs nobody.
type State string

// The states.
const (
	Waiting   State = "open"      // nobody has looked at it
	Seen      State = "seen"      // somebody has
	Assigned  State = "assigned"  // somebody is to do something about it
	Answered  State = "answered"  // they have
	Objected  State = "objected"  // they say that it is not so
	Submitted State = "submitted" // it waits for other eyes
	Approved  State = "approved"
	Published State = "published"
	Closed    State = "closed"
)

// Chinese returns the state's name, as it is of a kind.
func (s State) Chinese(k Kind) string {
	switch s {
	case Waiting:
		return map[Kind]string{Sign: "待核查", Mend: "待下达", Problem: "待交办", Sheet: "待发出", Publication: "草稿"}[k]
	case Seen:
		return "已知悉"
	case Assigned:
		return map[Kind]string{Sign: "核查中", Mend: "整改中", Problem: "整改中", Sheet: "待签认"}[k]
	case Answered:
		return map[Kind]string{Mend: "待验收", Problem: "待验收", Sheet: "已签认"}[k]
	case Objected:
		return "有异议"
	case Submitted:
		return "待审批"
	case Approved:
		return "已批准"
	case Published:
		return "已发布"
	case Closed:
		return "已办结"
	}
	return string(s)
}

// Ended reports whether nobody needs to do anything any more.
func (s State) Ended() bool { return s == Closed || s == Published }

// Hand says whose a deed is.
type Hand string

// The hands.
const (
	Office    Hand = "office"    // that looks after the place
	Concerned Hand = "concerned" // the unit that it is about
	Chief     Hand = "chief"     // whoever approves what the office publishes
)

// Deed is something done about a dossier.
type Deed string

// The deeds.
const (
	Acknowledge Deed = "acknowledge"
	Assign      Deed = "assign"
	Explain     Deed = "explain"
	Confirm     Deed = "confirm"
	Repair      Deed = "repair"
	Reopen      Deed = "reopen"
	Issue       Deed = "issue"
	Answer      Deed = "answer"
	Object      Deed = "object"
	Accept      Deed = "accept"
	Return      Deed = "return"
	Drop        Deed = "drop"
	Edit        Deed = "edit"
	Submit      Deed = "submit"
	Approve     Deed = "approve"
	Publish     Deed = "publish"
)

// About says what a deed is, for one kind of dossier.
type About struct {
	Do      Deed
	Chinese string
	By      Hand
	From    []State
	To      State
	Words   bool // something must be said
	Owner   bool // it names who is to do something
	Due     bool // it names a day by which
	Draft   bool // it writes the draft
	Other   bool // by nobody whose hand is in the draft
}

// Deeds returns what can be done about dossiers of a kind.
func (k Kind) Deeds() []About {
	switch k {
	case Sign:
		return []About{
			{Do: Acknowledge, Chinese: "知悉", By: Office, From: []State{Waiting}, To: Seen},
			{Do: Assign, Chinese: "交办核查", By: Office, From: []State{Waiting, Seen, Assigned}, To: Assigned, Owner: true, Due: true},
			{Do: Explain, Chinese: "办结：情况正常", By: Office, From: []State{Seen, Assigned}, To: Closed, Words: true},
			{Do: Confirm, Chinese: "办结：情况属实，已处理", By: Office, From: []State{Seen, Assigned}, To: Closed, Words: true},
			{Do: Repair, Chinese: "办结：设备或系统原因，已处理", By: Office, From: []State{Seen, Assigned}, To: Closed, Words: true},
			{Do: Reopen, Chinese: "重新核查", By: Office, From: []State{Closed}, To: Seen, Words: true},
		}
	case Mend, Problem:
		return orders(k)
	case Sheet:
		return []About{
			{Do: Issue, Chinese: "发出核对", By: Office, From: []State{Waiting}, To: Assigned, Due: true},
			{Do: Answer, Chinese: "签认：无异议", By: Concerned, From: []State{Assigned}, To: Answered},
			{Do: Object, Chinese: "提出异议", By: Concerned, From: []State{Assigned}, To: Objected, Words: true},
			{Do: Return, Chinese: "答复后请再核对", By: Office, From: []State{Answered, Objected}, To: Assigned, Words: true, Due: true},
			{Do: Accept, Chinese: "归档", By: Office, From: []State{Answered, Objected}, To: Closed, Words: true},
			{Do: Drop, Chinese: "撤销", By: Office, From: []State{Waiting, Assigned, Objected}, To: Closed, Words: true},
			{Do: Reopen, Chinese: "重新办理", By: Office, From: []State{Closed}, To: Waiting, Words: true},
		}
	case Publication:
		return []About{
			{Do: Edit, Chinese: "修改文字", By: Office, From: []State{Waiting}, To: Waiting, Draft: true},
			{Do: Submit, Chinese: "提交审批", By: Office, From: []State{Waiting}, To: Submitted},
			{Do: Return, Chinese: "退回修改", By: Chief, From: []State{Submitted, Approved}, To: Waiting, Words: true},
			{Do: Approve, Chinese: "批准", By: Chief, From: []State{Submitted}, To: Approved, Other: true},
			{Do: Publish, Chinese: "发布", By: Chief, From: []State{Approved}, To: Published},
			{Do: Drop, Chinese: "作废", By: Office, From: []State{Waiting, Submitted, Approved}, To: Closed, Words: true},
		}
	}
	return nil
}

// orders returns the deeds of what somebody is told to mend by a day.
func orders(k Kind) []About {
	issue := About{Do: Issue, Chinese: "下达限期整改", By: Office, From: []State{Waiting}, To: Assigned, Words: true, Due: true}
	if k == Problem {
		issue = About{Do: Assign, Chinese: "交办", By: Office, From: []State{Waiting, Assigned}, To: Assigned, Words: true, Owner: true, Due: true}
	}
	return []About{issue,
		{Do: Answer, Chinese: "报告整改情况", By: Concerned, From: []State{Assigned}, To: Answered, Words: true},
		{Do: Accept, Chinese: "验收通过", By: Office, From: []State{Answered}, To: Closed, Words: true},
		{Do: Return, Chinese: "退回重改", By: Office, From: []State{Answered}, To: Assigned, Words: true, Due: true},
		{Do: Drop, Chinese: "不予下达或撤销", By: Office, From: []State{Waiting, Assigned}, To: Closed, Words: true},
		{Do: Reopen, Chinese: "重新办理", By: Office, From: []State{Closed}, To: Waiting, Words: true},
	}
}

// About returns what a deed is for a kind, and whether there is such a one.
func (k Kind) About(d Deed) (About, bool) {
	all := k.Deeds()
	i := slices.IndexFunc(all, func(a About) bool { return a.Do == d })
	if i < 0 {
		return About{}, false
	}
	return all[i], true
}
