public struct JSONSchemaErrors: Error { public let diagnostics: [Diagnostic] }
extension SectionModel {
    public init(jsonSchema bytes: [UInt8], name: String) throws(JSONSchemaErrors) { throw JSONSchemaErrors(diagnostics: []) }
    public func jsonSchema(title: String) -> JSONValue { .null }
    public func markdown(title: String) -> String { "" }
    public func sampleINI() -> String { "" }
}
import Foundation
extension JSONValue {
    public init(parsing bytes: [UInt8], name: String) throws {
        func conv(_ any: Any) -> JSONValue {
            switch any {
            case is NSNull: return .null
            case let b as Bool where CFGetTypeIDIsBool(any): return .boolean(b)
            case let n as Int: return .integer(n)
            case let d as Double: return .number(d)
            case let s as String: return .string(s)
            case let a as [Any]: return .array(a.map(conv))
            case let o as [String: Any]: var v: JSONValue = [:]; for (k, x) in o { v[k] = conv(x) }; return v
            default: return .null
            }
        }
        self = conv(try JSONSerialization.jsonObject(with: Data(bytes), options: [.fragmentsAllowed]))
    }
}
private func CFGetTypeIDIsBool(_ any: Any) -> Bool { type(of: any) == Bool.self || "\(type(of: any))".contains("Bool") }
