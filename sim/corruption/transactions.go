package corruption

var transactionOperators []Operator

func (s *Story) transactions() {}
