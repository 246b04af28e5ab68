package rectify

// State is where the work on a bad evaluation stands in one unit.
type State string

// The states, in the order of the work.
const (
	// Waiting is 待联系: the unit that handled the case has still to reach the citizen (article 16: 第一时间联系评价人).
	Waiting State = "waiting"
	// Contacted is 已联系: what happened is known (article 16: 沟通了解情况,进行回访核实).
	Contacted State = "contacted"
	// AtOnce is 立行立改: it is clear, and is put right at once (article 16).
	AtOnce State = "at_once"
	// Limited is 限期整改: it is entered in the register and put right within five working days (article 16: 建立台账).
	Limited State = "limited"
	// Reviewing is 复核中: the unit calls the rating mistaken or malicious, and the office of its level decides (article 17).
	Reviewing State = "reviewing"
	// Replied is 已反馈: the unit has said what it did, and the office checks the wording (article 16, and article 8: 规范性审核).
	Replied State = "replied"
	// FollowingUp is 待回访: the office asks the citizen what they think of it (article 18).
	FollowingUp State = "following_up"
	// Closed is 已办结 (article 18).
	Closed State = "closed"
	// NotAdopted is 不予采纳: the review has found the rating mistaken or malicious (article 17).
	NotAdopted State = "not_adopted"
	// Appealing is 申诉中: the citizen or the person who was rated has appealed (article 6: 受理复核申诉).
	Appealing State = "appealing"
	// Lapsed is 评价不再计入: another evaluation counts, or none (article 14). What was done stays.
	Lapsed State = "lapsed"
)

// States returns all states.
func States() []State {
	return []State{Waiting, Contacted, AtOnce, Limited, Reviewing, Replied, FollowingUp, Closed, NotAdopted, Appealing, Lapsed}
}

// Chinese returns the state's name.
func (s State) Chinese() string {
	switch s {
	case Waiting:
		return "待联系"
	case Contacted:
		return "已联系"
	case AtOnce:
		return "立行立改"
	case Limited:
		return "限期整改"
	case Reviewing:
		return "复核中"
	case Replied:
		return "已反馈"
	case FollowingUp:
		return "待回访"
	case Closed:
		return "已办结"
	case NotAdopted:
		return "不予采纳"
	case Appealing:
		return "申诉中"
	case Lapsed:
		return "评价不再计入"
	}
	return string(s)
}

// Open reports whether somebody still has to do something, so that a clock runs.
func (s State) Open() bool { return s != Closed && s != NotAdopted && s != Lapsed }

// Hand is who does something about an order.
type Hand string

// The hands.
const (
	Unit   Hand = "unit"   // the unit that works on it (谁办理、谁负责)
	Office Hand = "office" // the office of its level
	Books  Hand = "books"  // nobody: it follows from what counts, or from what became of a message
)

// Deed is what is done about an order in one unit.
type Deed string

// The deeds.
const (
	Miss         Deed = "miss"
	Contact      Deed = "contact"
	Verify       Deed = "verify"
	BeginAtOnce  Deed = "at_once"
	Plan         Deed = "plan"
	Extend       Deed = "extend"
	Move         Deed = "move"
	Assign       Deed = "assign"
	Reply        Deed = "reply"
	Claim        Deed = "claim"
	Uphold       Deed = "uphold"
	Reject       Deed = "reject"
	Pass         Deed = "pass"
	Return       Deed = "return"
	Satisfied    Deed = "satisfied"
	Dissatisfied Deed = "dissatisfied"
	Unreached    Deed = "unreached"
	Skip         Deed = "skip"
	Ask          Deed = "ask"
	Appeal       Deed = "appeal"
	Grant        Deed = "grant"
	Dismiss      Deed = "dismiss"
	Refer        Deed = "refer"
	Urge         Deed = "urge"
	Lapse        Deed = "lapse"
	Count        Deed = "count"
	Sent         Deed = "sent"
	Unsent       Deed = "unsent"
	Unclear      Deed = "unclear"
)

// About is what there is to know of a deed besides where it leads.
type About struct {
	Do      Deed
	Chinese string
	By      Hand
	Article int
	Words   bool // somebody has to say why, what or how
}

// Deeds returns all deeds.
func Deeds() []About {
	return []About{
		{Miss, "联系未通", Unit, 16, false},
		{Contact, "联系评价人", Unit, 16, true},
		{Verify, "无法联系，据办件、窗口、时间核实", Unit, 16, true},
		{BeginAtOnce, "立行立改", Unit, 16, false},
		{Plan, "列入台账，限期整改", Unit, 16, false},
		{Extend, "延期，并已向评价人说明理由", Unit, 16, true},
		{Move, "转办", Unit, 16, true},
		{Assign, "指派承办单位", Office, 8, true},
		{Reply, "反馈整改结果", Unit, 16, true},
		{Claim, "申请不采纳（误评、恶意）", Unit, 17, true},
		{Uphold, "复核通过，不予采纳", Office, 17, true},
		{Reject, "复核未通过，转入整改", Office, 17, true},
		{Pass, "规范性审核通过", Office, 8, false},
		{Return, "审核退回", Office, 8, true},
		{Satisfied, "回访：评价人满意", Office, 18, true},
		{Dissatisfied, "回访：评价人不满意", Office, 18, true},
		{Unreached, "回访未通", Office, 18, false},
		{Skip, "无法回访，办结", Office, 18, true},
		{Ask, "发送回访短信", Office, 18, false},
		{Appeal, "申诉", Office, 6, true},
		{Grant, "申诉成立", Office, 6, true},
		{Dismiss, "申诉不成立", Office, 6, true},
		{Refer, "线索移送", Office, 23, true},
		{Urge, "督促催办", Office, 8, true},
		{Lapse, "评价不再计入", Books, 14, false},
		{Count, "评价重新计入", Books, 14, false},
		{Sent, "短信已发出", Books, 18, false},
		{Unsent, "短信没有发出，请电话联系", Books, 18, false},
		{Unclear, "短信是否发出不明，请电话联系", Books, 18, false},
	}
}

// About returns what there is to know of a deed, and whether there is one of that name.
func (d Deed) About() (About, bool) {
	for _, a := range Deeds() {
		if a.Do == d {
			return a, true
		}
	}
	return About{}, false
}

// quiet reports whether a deed leaves a part as those who work on it have seen it: a unit learns of no clue by it, and nobody has to look
// again since a message was sent.
func (d Deed) quiet() bool { return d == Refer || d == Sent || d == Unsent || d == Unclear }
