package books

// Chinese returns a kind's name, and what it means and asks for.
func (k FindingKind) Chinese() (name, advice string) {
	switch k {
	case Gap:
		return "缺号", "盒子已不再保存这些记录，账本里也没有。若账本是从备份恢复的，请找回被替换的文件；否则请保存盒子上的 log.db。"
	case Fork:
		return "分叉", "同一序号有两条不同的记录，很可能有两台盒子用了同一名称和密钥（例如复制了存储卡）。账本以先到者为准，后到者另存。请停用复制品并重新登记。"
	case ForkGap:
		return "分叉缺号", "后到的那份日志缺这一条。请先处理同一设备的分叉。"
	case BrokenChain:
		return "断链", "这条记录接不上前一条：日志被改动、损坏，或来自复制品。请检查存储卡并保存盒子上的 log.db。"
	case Reopened:
		return "重复开单", "同一次服务被再次记录，且内容不同。账本以先开者为准，后者另存。盒子自己不会这样做，请查明谁动过盒子或其密钥。"
	case Quarantine:
		return "隔离", "这条记录读不懂，不计入；原文已保存。请核对 ratingd 与 centrald 的版本。"
	case Displaced:
		return "后到改计", "一份后到的评价时间更早，取代了先前计入的一份；两份都保存着。盒子断网后补报时属正常；若其时间不可信，请查明谁动过盒子或其时钟。"
	case Contradiction:
		return "说法不一", "业务系统前后两次报送不一致，以先到者为准。请核对业务系统；确需改正的，按更正报送（corrects）。"
	case Crowd:
		return "评价过多", "同一设备对同一办件或同一次服务的评价过多，超出部分另存，不计入。正常的盒子不会这样，请查明谁动过盒子或其密钥。"
	case Damage:
		return "损坏", "盒子有一个文件损坏，已另存并尽量找回。请稍后查看同一设备是否缺号；再次发生时更换存储卡。"
	}
	return string(k), ""
}
