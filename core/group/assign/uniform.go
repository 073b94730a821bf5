package assign

// Uniform gives every member as many partitions as any other, as far as their subscriptions allow, and moves as few as that needs.
func Uniform(members []Member, topics []Topic) [][]TopicPartitions {
	if len(members) == 0 {
		return nil
	}
	p := newProblem(members, topics)
	if p.homogeneous() {
		p.assignAlike(members)
	} else {
		p.assignApart(members)
	}
	return p.targets()
}
