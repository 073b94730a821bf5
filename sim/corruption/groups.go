package corruption

var groupOperators []Operator
