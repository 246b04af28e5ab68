package rectify

import "strings"

// Template is a beginning of an answer. What stands in 【】 is to be replaced, and an answer that still has such a place is refused.
type Template struct{ Name, Text string }

// Templates returns those for what a unit has done.
func Templates() []Template {
	return []Template{
		{"等候时间长", "经核实，您于【日期】办理【事项】时等候【时长】，原因是【原因】。我单位已【措施】，自【日期】起执行。对给您带来的不便深表歉意。"},
		{"服务态度", "经核实，您反映的【情况】属实。我单位已对当事人【处理】，并【培训或改进措施】，今后由【岗位】每日抽查。感谢您的监督。"},
		{"材料或流程", "经核实，【事项】办理时要求了【材料或环节】，依据是【依据】。我单位已【修改指南或减免材料】，并于【日期】为您【补办结果】。"},
		{"不属实或政策所限", "经核实，您反映的【情况】，调取【记录】显示【事实】。依据【政策文件及条款】，目前【说明】。我们已于【日期】向您当面或电话解释。"},
	}
}

// unedited reports whether words still have a place that a template leaves to fill in.
func unedited(words string) bool {
	_, rest, ok := strings.Cut(words, "【")
	return ok && strings.Contains(rest, "】")
}
