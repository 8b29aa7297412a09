//! The bound: the SDK's own server with one tool, which gives back what it is given.

use std::sync::Arc;

use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, ListToolsResult,
    PaginatedRequestParams, ServerCapabilities, ServerConfig, Tool,
};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer, ServerHandler, ServiceExt};
use rmcp_actix_web::transport::{LocalSessionManager, StreamableHttpService};
use serde_json::{Map, Value};

#[derive(Clone)]
struct Echo;

impl ServerHandler for Echo {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
    }

    async fn list_tools(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult::with_all_items(vec![Tool::new("echo", "Echoes", Map::new())]))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let arguments = request.arguments.unwrap_or_default();
        let message = arguments.get("message").and_then(Value::as_str).unwrap_or_default();
        Ok(CallToolResult::success(vec![ContentBlock::text(message)]).into())
    }
}

/// Serves until its input ends.
pub(crate) fn over_stdio() -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| error.to_string())?.block_on(async {
        let served = Echo.serve(rmcp::transport::stdio()).await.map_err(|error| error.to_string())?;
        served.waiting().await.map(drop).map_err(|error| error.to_string())
    })
}

/// Serves at `/mcp`, by two workers, until it is killed.
pub(crate) fn over_http() -> Result<(), String> {
    actix_web::rt::System::new().block_on(async {
        let service = StreamableHttpService::builder()
            .service_factory(Arc::new(|| Ok(Echo)))
            .session_manager(Arc::new(LocalSessionManager::default()))
            .build();
        let server = actix_web::HttpServer::new(move || {
            actix_web::App::new().service(actix_web::web::scope("/mcp").service(service.clone().scope()))
        });
        let server = server.workers(2).bind(("127.0.0.1", 0)).map_err(|error| error.to_string())?;
        for address in server.addrs() {
            println!("listening on http://{address}");
        }
        server.run().await.map_err(|error| error.to_string())
    })
}
