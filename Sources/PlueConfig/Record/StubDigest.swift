extension Candidate { var digest: String { "" } }
