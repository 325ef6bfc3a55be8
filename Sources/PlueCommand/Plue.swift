@main struct Plue { static func main() {} }
