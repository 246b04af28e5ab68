package rating

import "fmt"

// Rule names a rule of the regulation that a visit can contradict. The names stand in answers of the window API and do not
// change.
type Rule string

// The rules, all of article 14.
const (
	RuleStaffOnce       Rule = "staff_once_per_visit"    // 每次到窗口办理后均可对服务人员进行一次评价
	RuleMatterOnce      Rule = "matter_once_per_case"    // 事项办结后可对服务事项进行一次评价
	RuleMatterEach      Rule = "matter_each_by_itself"   // the same: only a batch and a theme share an answer
	RuleMatterCompleted Rule = "matter_when_completed"   // 事项办结后
	RuleCaseOnce        Rule = "case_once_per_visit"     // one case is one case, however often it is named
	RuleBatchSize       Rule = "batch_of_two_or_more"    // 同一事项2笔及以上的业务
	RuleBatchMatter     Rule = "batch_of_one_matter"     // 同一事项
	RuleBatchOnce       Rule = "batch_is_rated_once"     // 视为批量业务,实行一次评价
	RuleThemeSeparate   Rule = "separate_is_for_a_theme" // 也可对关联的事项分别进行评价
)

// RuleError says which rule of the regulation a visit contradicts, and what to do instead. Its texts are whole sentences for
// the people who write the window's business system.
type RuleError struct {
	Article int
	Rule    Rule
	Case    string // project number of the case that it is about, empty if none
	// What contradicts the rule, and what to do.
	Chinese, English             string
	ChineseAdvice, EnglishAdvice string
}

// Error returns the English sentences.
func (e *RuleError) Error() string {
	return fmt.Sprintf("%s (article %d, %s). %s", e.English, e.Article, e.Rule, e.EnglishAdvice)
}

// article14 returns the RuleError of a rule of article 14.
func article14(r Rule, project, chinese, english, chineseAdvice, englishAdvice string) *RuleError {
	return &RuleError{Article: 14, Rule: r, Case: project, Chinese: chinese, English: english,
		ChineseAdvice: chineseAdvice, EnglishAdvice: englishAdvice}
}

// CheckVisit returns the *RuleError of the first rule of article 14 that v contradicts as it stands, whatever happened
// before; Answered and History know about that. Identifiers, texts and sizes are Visit.Check's, which older records passed
// with looser rules.
func CheckVisit(v Visit) error {
	if err := v.checkAsked(); err != nil {
		return err
	}
	if err := v.checkCasesOnce(); err != nil {
		return err
	}
	if err := v.checkGrouping(); err != nil {
		return err
	}
	return v.checkMatters()
}

// checkAsked holds: 评价人每次到窗口办理后均可对服务人员进行一次评价，事项办结后可对服务事项进行一次评价 (article 14). One visit
// asks about the person at most once, and about the matter only where a case is completed.
func (v Visit) checkAsked() error {
	var staff, matter int
	for _, s := range v.Subjects {
		switch s {
		case StaffSubject:
			staff++
		case MatterSubject:
			matter++
		}
	}
	switch {
	case staff > 1:
		return article14(RuleStaffOnce, "", "一次办理只能对工作人员评价一次，请求中列了两次。", "A visit asks about the staff member once, this one asks twice",
			"请在 subjects 中只写一次 staff。", "Name staff once in subjects.")
	case matter > 1:
		return article14(RuleMatterOnce, "", "一次办理只能对事项评价一次，请求中列了两次。", "A visit asks about the matter once, this one asks twice",
			"请在 subjects 中只写一次 matter；一件事逐项评价请用 separate。", "Name matter once in subjects; to ask about a theme matter by matter set separate.")
	case matter > 0 && len(v.Completed()) == 0:
		return article14(RuleMatterCompleted, "", "事项办结后才能评价，本次没有办结的办件。", "The matter is rated when its case is completed, and no case of this "+
			"visit is",
			"请将已办结办件的 completed 设为 true，或只评价 staff。", "Set completed on the case that this visit completed, or ask about staff only.")
	}
	return nil
}

// checkCasesOnce holds that each of a visit's cases is another one, so that two entries of one case make no batch.
func (v Visit) checkCasesOnce() error {
	seen := make(map[string]bool, len(v.Cases))
	for _, c := range v.Cases {
		if seen[c.ProjectNo] && c.ProjectNo != "" {
			return article14(RuleCaseOnce, c.ProjectNo, "办件 "+c.ProjectNo+" 列了两次。", "The case "+c.ProjectNo+" is named twice",
				"每个办件只列一次。", "Name each case once.")
		}
		seen[c.ProjectNo] = true
	}
	return nil
}

// checkGrouping holds: 在窗口单次申报同一事项2笔及以上的业务视为批量业务，实行一次评价 (article 14). A batch is about one matter and has two
// cases or more. Without task codes nobody can say whether the matter is the same; older records had such batches.
func (v Visit) checkGrouping() error {
	if v.Grouping != Batch {
		return nil
	}
	if len(v.Cases) < 2 {
		return article14(RuleBatchSize, "", fmt.Sprintf("批量业务须有两笔及以上办件，本次只有 %d 笔。", len(v.Cases)),
			fmt.Sprintf("A batch has two cases or more, this one has %d", len(v.Cases)), "一笔办件请用 grouping = single。",
			"For one case use the grouping single.")
	}
	for _, c := range v.Cases[1:] {
		if c.TaskCode != v.Cases[0].TaskCode {
			return article14(RuleBatchMatter, c.ProjectNo,
				fmt.Sprintf("批量业务须为同一事项，本次有事项编码 %q 和 %q。", v.Cases[0].TaskCode, c.TaskCode),
				fmt.Sprintf("A batch is about one matter, this one has the task codes %q and %q", v.Cases[0].TaskCode, c.TaskCode),
				"不同事项请用 single，一件事请用 theme。", "For different matters use the grouping single, for the matters of one life event theme.")
		}
	}
	return nil
}

// checkMatters holds what Visit.Check does not ask of older records: that the cases of a batch name their matter; that two
// completed cases of one matter are a batch and rated once (视为批量业务，实行一次评价), not case by case; and that one answer stands for
// several cases only where they are a batch or a theme (一次评价的结果适用于本次批量办理的所有业务; 总体评价…适用于主题业务关联的所有事项).
func (v Visit) checkMatters() error {
	if v.Separate && v.Grouping == Batch {
		return article14(RuleThemeSeparate, "", "批量业务实行一次评价，不能逐件评价。", "A batch is rated once and not case by case",
			"请去掉 separate。", "Leave separate out.")
	}
	tasks := make(map[string]string)
	for _, c := range v.Cases {
		switch {
		case v.Grouping == Batch && c.TaskCode == "":
			return article14(RuleBatchMatter, c.ProjectNo, "批量业务须为同一事项，办件 "+c.ProjectNo+" 没有事项编码。",
				"A batch is about one matter, and the case "+c.ProjectNo+" has no task code", "请为每笔办件填写 task_code。", "Give each case its task_code.")
		case v.Grouping != Single || !c.Completed || c.TaskCode == "" || !v.Asks(MatterSubject):
		case tasks[c.TaskCode] != "":
			return article14(RuleBatchOnce, c.ProjectNo,
				fmt.Sprintf("同一事项的两笔办件 %s 和 %s 视为批量业务，实行一次评价。", tasks[c.TaskCode], c.ProjectNo),
				fmt.Sprintf("The cases %s and %s are of one matter, which makes them a batch that is rated once", tasks[c.TaskCode], c.ProjectNo),
				"请用 grouping = batch，其他事项另行发起。", "Use the grouping batch, and open another visit for other matters.")
		default:
			tasks[c.TaskCode] = c.ProjectNo
		}
	}
	if done := v.Completed(); v.Grouping == Single && !v.Separate && v.Asks(MatterSubject) && len(done) > 1 {
		return article14(RuleMatterEach, done[1], "本次办结了不同的事项，一次评价不能适用于全部。",
			"The visit completed different matters, and one answer cannot stand for all of them",
			"请设 separate = true 逐项评价；一件事请用 grouping = theme。",
			"Set separate to ask about each by itself; for the matters of one life event use the grouping theme.")
	}
	return nil
}
